/** What the weights alone say of memory: the Pascanu bound of a SimpleRNN, the chrono range of an LSTM. */
import { isElementwise } from '../core/activations';
import { chronoRange } from '../core/diagnostics/chrono-range';
import { meanFieldExponent } from '../core/diagnostics/critical-gain';
import { columnBlocks } from '../core/diagnostics/gate-blocks';
import { pascanuBound } from '../core/diagnostics/pascanu-bound';
import { blockStatistics } from '../core/diagnostics/weight-statistics';
import { cellsOf, type LstmCell, type RecurrentLayer, type SimpleRnnCell } from '../core/model';
import type { Diagnostics, StepRange } from '../core/summary';
import { finiteOrNull } from './finite-or-null';

/**
 * D7, D13 and D18 of a layer; keys are left out where the kind of cell has no such reading.
 *
 * @param layer - The layer.
 * @param spectralNorms - Of its recurrent kernels, gate by gate, as `matrixDiagnostics` names them.
 */
export function weightReadings(
  layer: RecurrentLayer,
  spectralNorms: Readonly<Record<string, number | null>>,
): Pick<Diagnostics, 'pascanuBound' | 'meanField' | 'chronoRange'> {
  const cells = cellsOf(layer.operation);
  const bounds: Record<string, number | null> = {};
  const meanField: Record<string, { gain: number | null; exponent: number | null }> = {};
  const ranges: Record<string, StepRange> = {};
  for (const { direction, cell } of cells) {
    if (cell.kind === 'SimpleRNN') {
      const key = cells.length === 2 ? `h_${direction}` : 'h';
      const norm = spectralNorms[key] ?? null;
      bounds[key] = norm === null ? null : pascanuBound(norm, cell.activation);
      if (isElementwise(cell.activation.name)) meanField[key] = meanFieldOf(cell);
    }
    if (cell.kind === 'LSTM' && isElementwise(cell.recurrentActivation.name) && !cell.inputForget) {
      ranges[direction] = rangeOf(cell);
    }
  }
  const found = Object.values(ranges);
  return {
    ...(Object.keys(bounds).length > 0 && { pascanuBound: bounds }),
    ...(Object.keys(meanField).length > 0 && { meanField }),
    ...(found.length > 0 && { chronoRange: cells.length === 1 ? found[0]! : ranges }),
  };
}

/** D13 as if the recurrent kernel were a random one of its own spread. */
function meanFieldOf({ recurrentKernel, units, activation }: SimpleRnnCell): {
  gain: number | null;
  exponent: number | null;
} {
  const { std } = blockStatistics(recurrentKernel.data, units, units, false);
  if (std === null) return { gain: null, exponent: null };
  const gain = Math.sqrt(units) * std;
  return { gain, exponent: finiteOrNull(meanFieldExponent(gain, activation)) };
}

function rangeOf(cell: LstmCell): StepRange {
  const zeros = new Float64Array(cell.units);
  const [input, forget] = cell.bias ? columnBlocks(cell.bias, ['i', 'f', 'g', 'o']).map(({ data }) => data) : [];
  const { range } = chronoRange(forget ?? zeros, input ?? zeros, cell.recurrentActivation);
  return [finiteOrNull(range[0]), finiteOrNull(range[1])];
}
