/** What the weights alone say of memory: the Pascanu bound of a SimpleRNN, the chrono range of an LSTM. */
import { isElementwise } from '../core/activations';
import { chronoRange } from '../core/diagnostics/chrono-range';
import { columnBlocks } from '../core/diagnostics/gate-blocks';
import { pascanuBound } from '../core/diagnostics/pascanu-bound';
import { cellsOf, type LstmCell, type RecurrentLayer } from '../core/model';
import type { Diagnostics, StepRange } from '../core/summary';
import { finiteOrNull } from './finite-or-null';

/**
 * D7 and D18 of a layer; keys are left out where the kind of cell has no such reading.
 *
 * @param layer - The layer.
 * @param spectralNorms - Of its recurrent kernels, gate by gate, as `matrixDiagnostics` names them.
 */
export function weightReadings(
  layer: RecurrentLayer,
  spectralNorms: Readonly<Record<string, number | null>>,
): Pick<Diagnostics, 'pascanuBound' | 'chronoRange'> {
  const cells = cellsOf(layer.operation);
  const bounds: Record<string, number | null> = {};
  const ranges: Record<string, StepRange> = {};
  for (const { direction, cell } of cells) {
    if (cell.kind === 'SimpleRNN') {
      const key = cells.length === 2 ? `h_${direction}` : 'h';
      const norm = spectralNorms[key] ?? null;
      bounds[key] = norm === null ? null : pascanuBound(norm, cell.activation);
    }
    if (cell.kind === 'LSTM' && isElementwise(cell.recurrentActivation.name) && !cell.inputForget) {
      ranges[direction] = rangeOf(cell);
    }
  }
  const found = Object.values(ranges);
  return {
    ...(Object.keys(bounds).length > 0 && { pascanuBound: bounds }),
    ...(found.length > 0 && { chronoRange: cells.length === 1 ? found[0]! : ranges }),
  };
}

function rangeOf(cell: LstmCell): StepRange {
  const zeros = new Float64Array(cell.units);
  const [input, forget] = cell.bias ? columnBlocks(cell.bias, ['i', 'f', 'g', 'o']).map(({ data }) => data) : [];
  const { range } = chronoRange(forget ?? zeros, input ?? zeros, cell.recurrentActivation);
  return [finiteOrNull(range[0]), finiteOrNull(range[1])];
}
