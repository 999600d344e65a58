/**
 * What a run will cost, from its sizes alone.
 *
 * Work is the useful FLOP of method.md 2.5, so that a rate in FLOP/s means the same as there; memory is what the engine
 * and its caller hold at once.
 */
import type { AnalysisMode } from '../core/jacobian';
import type { CellDescription, CellKind } from '../core/model';
import type { EngineName } from './engine';

/** Cost of a run. */
export interface RunCost {
  readonly flop: number;
  /** Bytes held at once at most, without the library itself. */
  readonly peakBytes: number;
  /** Bytes of all arrays of the result. */
  readonly resultBytes: number;
  readonly seconds: number;
}

/** Sustained FLOP/s per engine on an ordinary two-core machine; orders of magnitude, for the user's patience only. */
const RATES: Readonly<Record<EngineName, number>> = { tensorflow: 8e10, wasm: 8e9, reference: 8e8 };
/** Fixed cost of a timestep (small operations), seconds. */
const STEP_SECONDS: Readonly<Record<EngineName, number>> = { tensorflow: 2e-4, wasm: 4e-4, reference: 0 };
/** Bytes per second at which results of the memory-bound diagonal appear. */
const FILL_RATE = 1e9;
const GATES: Readonly<Record<CellKind, number>> = { SimpleRNN: 1, LSTM: 4, GRU: 3 };
/** Bytes of one chunk of results and of the step Jacobians formed ahead of it. */
const WORKING_BYTES = 64 * 2 ** 20;

/**
 * The cost of a run over the cells of one layer.
 *
 * @param cells - One per direction.
 * @param batch - B.
 * @param steps - T.
 * @param modes - What is asked for.
 * @param engine - Which engine runs it.
 *
 * Source: method.md 2.5, the rows "form A", "form B" and "final" (q = H, or 2H where c is wanted too).
 */
export function estimateRun(
  cells: readonly CellDescription[],
  batch: number,
  steps: number,
  modes: readonly AnalysisMode[],
  engine: EngineName,
): RunCost {
  let flop = 0;
  let resultBytes = 0;
  let jacobianBytes = 0;
  const width = engine === 'reference' ? 8 : 4;
  for (const cell of cells) {
    const { units: H, inputDim: D } = cell;
    const gates = GATES[cell.kind];
    const states = cell.kind === 'LSTM' ? 2 : 1;
    const perStep =
      2 * gates * H * (H + D) +
      (modes.includes('diagonal') ? diagonalFlop(cell) : 0) +
      (modes.includes('final') ? finalFlop(cell) + formFlop(cell) : 0);
    flop += batch * steps * perStep;
    const block = batch * steps * H * D * states;
    for (const mode of ['diagonal', 'final'] as const) if (modes.includes(mode)) jacobianBytes += block * width;
    resultBytes += batch * steps * H * (states + (modes.includes('states') ? gates : 0)) * 4 + batch * steps * D * 4;
    if (modes.includes('final')) resultBytes += batch * steps * states * 12;
  }
  const stateBytes = cells.reduce((sum, { units, kind }) => sum + batch * steps * units * (GATES[kind] * 2 + 2) * width, 0);
  const weightBytes = cells.reduce((sum, { units, inputDim, kind }) => sum + 3 * GATES[kind] * units * (units + inputDim) * width, 0);
  const rowBytes = cells.reduce((most, { units, kind }) => {
    const size = kind === 'LSTM' ? 2 * units : units;
    return Math.max(most, 6 * batch * size * size * width);
  }, 0);
  const loops = cells.length * ((modes.includes('final') ? steps : 0) + (modes.includes('diagonal') ? steps / 16 : 0) + steps);
  return {
    flop,
    peakBytes: stateBytes + weightBytes + rowBytes + Math.min(WORKING_BYTES, 2 * jacobianBytes),
    resultBytes: resultBytes + jacobianBytes * (4 / width),
    seconds: flop / RATES[engine] + loops * STEP_SECONDS[engine] + jacobianBytes / FILL_RATE,
  };
}

/** "form B" of one step: dh_t/dx_t, and dc_t/dx_t for an LSTM. */
function diagonalFlop({ kind, units: H, inputDim: D, ...rest }: CellDescription): number {
  if (kind === 'SimpleRNN') return H * D;
  if (kind === 'LSTM') return 8 * H * D;
  const isAfter = 'resetAfter' in rest && rest.resetAfter;
  return isAfter ? 5 * H * D : 2 * H * H * D + 5 * H * D;
}

/** "form A" of one step. */
function formFlop({ kind, units: H, ...rest }: CellDescription): number {
  if (kind === 'SimpleRNN') return H * H;
  if (kind === 'LSTM') return 8 * H * H;
  const isAfter = 'resetAfter' in rest && rest.resetAfter;
  return isAfter ? 5 * H * H + H : 2 * H ** 3 + 4 * H * H + 2 * H;
}

/** Pulling the rows of one step: q = 2H for an LSTM (h and c), else H. */
function finalFlop({ kind, units: H, inputDim: D }: CellDescription): number {
  const rows = kind === 'LSTM' ? 2 * H : H;
  return (kind === 'LSTM' ? 4 : 2) * rows * H * (H + D);
}
