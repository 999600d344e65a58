/**
 * Log norms of the Jacobians of every step with respect to every earlier one, of one sequence in float64.
 *
 * Columns G = ds_t/d(source) are pushed by G <- A_t G, a tile of sources at a time; the columns of each source carry
 * one integer exponent, so that no norm underflows or overflows (method.md 2.5 and 2.7).
 */
import { newStepJacobians, type ReferenceCell } from './cell';
import { ReferenceColumns } from './reference-columns';
import { firstColumn, isInitialSource, sourceWidth, statePartOf, type PairsSource } from './pairs-source';
import { stateBefore, timeIndex, type Trajectory } from './run-cell';

export type { PairsSource } from './pairs-source';

/** Bytes of columns that are pushed together. */
const TILE_BYTES = 2 ** 21;

/** The norms of one target step with respect to a tile of sources. */
export interface PairsRow {
  /** The target among the computed steps. */
  readonly target: number;
  /** The first source of the tile, likewise, and how many there are so far; 0 and 1 for `initial`. */
  readonly firstSource: number;
  readonly sources: number;
  /** Log norms of the rows of h, and of c (null without one); reused for the next row. */
  readonly h: Float64Array;
  readonly c: Float64Array | null;
  /** The columns themselves, those of source k at place k. */
  readonly columns: ReferenceColumns;
}

/**
 * Sources that are pushed together.
 *
 * @param cell - The cell.
 * @param source - What the columns are injected by.
 * @param steps - T.
 */
export function pairsTile(cell: ReferenceCell, source: PairsSource, steps: number): number {
  if (isInitialSource(source)) return 1;
  const width = sourceWidth(cell, source);
  return Math.max(1, Math.min(steps, Math.floor(TILE_BYTES / (8 * width * cell.stateSize))));
}

/**
 * Rows of norms, tile after tile of sources, in each tile the targets from its first source on. Masked steps are left
 * out: they are neither targets nor sources.
 *
 * Numerics: float64, rescaled by exact powers of two. Source: method.md 2.5 (push) and 2.7.
 *
 * @param cell - The cell.
 * @param trajectory - Its states, or those of another engine.
 * @param source - What the columns are injected by.
 * @param tiles - What `pairsTiles` gives, or some of it.
 */
export function* propagatePairs(
  cell: ReferenceCell,
  trajectory: Trajectory,
  source: PairsSource,
  tiles: readonly SourceTile[] = pairsTiles(cell, trajectory, source),
): Generator<PairsRow, void, void> {
  const valid = computedSteps(trajectory);
  for (const { first, count } of tiles) yield* pushTile(cell, trajectory, source, valid, first, count);
}

/** Sources that are pushed together, among the computed steps. */
export interface SourceTile {
  readonly first: number;
  readonly count: number;
  /** Computed steps from the first source to the end. */
  readonly steps: number;
}

/**
 * The tiles of a sequence, which need nothing of one another.
 *
 * @param cell - The cell.
 * @param trajectory - Its states.
 * @param source - What the columns are injected by.
 */
export function pairsTiles(
  cell: ReferenceCell,
  trajectory: Pick<Trajectory, 'direction' | 'steps' | 'mask'>,
  source: PairsSource,
): readonly SourceTile[] {
  const { length } = computedSteps(trajectory);
  if (isInitialSource(source)) return length === 0 ? [] : [{ first: 0, count: 1, steps: length }];
  const tile = pairsTile(cell, source, trajectory.steps);
  const tiles: SourceTile[] = [];
  for (let first = 0; first < length; first += tile) {
    tiles.push({ first, count: Math.min(tile, length - first), steps: length - first });
  }
  return tiles;
}

/** Numbers of the steps that are not masked, in the order of computing. */
function computedSteps(trajectory: Pick<Trajectory, 'direction' | 'steps' | 'mask'>): readonly number[] {
  const { direction, steps, mask } = trajectory;
  const valid: number[] = [];
  for (let n = 0; n < steps; n++) if (mask === null || mask[timeIndex(direction, steps, n)] !== 0) valid.push(n);
  return valid;
}

/** The sources `valid[first ..]`, `count` of them, pushed to the last step. */
function* pushTile(
  cell: ReferenceCell,
  trajectory: Trajectory,
  source: PairsSource,
  valid: readonly number[],
  first: number,
  count: number,
): Generator<PairsRow, void, void> {
  const { inputDim, stateSize, hiddenSize, hasCell } = cell;
  const { direction, steps, x } = trajectory;
  const width = sourceWidth(cell, source);
  const jacobians = newStepJacobians(cell);
  const columns = new ReferenceColumns(cell, width, count);
  const isInitial = isInitialSource(source);
  const part = statePartOf(source);
  if (isInitial) columns.injectState(0, firstColumn(cell, part));
  const h = new Float64Array(count);
  const c = hasCell ? new Float64Array(count) : null;
  for (let at = first; at < valid.length; at++) {
    const n = valid[at];
    const t = timeIndex(direction, steps, n);
    const before = stateBefore(trajectory, cell, n);
    cell.linearise(x.subarray(t * inputDim, (t + 1) * inputDim), before, jacobians, 'both');
    columns.push(jacobians);
    const isSource = !isInitial && at - first < count;
    if (isSource && source === 'input') columns.inject(at - first, jacobians.inputJacobian);
    else if (isSource) columns.injectState(at - first, firstColumn(cell, part));
    const sources = isInitial ? 1 : Math.min(count, at - first + 1);
    for (let k = 0; k < sources; k++) {
      h[k] = columns.logNorm(k, 0, hiddenSize);
      if (c) c[k] = columns.logNorm(k, hiddenSize, stateSize);
    }
    yield { target: at, firstSource: first, sources, h, c, columns };
  }
}
