/**
 * Log norms of the Jacobians of every step with respect to every earlier one, of one sequence in float64.
 *
 * Columns G = ds_t/d(source) are pushed by G <- A_t G, a tile of sources at a time; the columns of each source carry
 * one integer exponent, so that no norm underflows or overflows (method.md 2.5 and 2.7).
 */
import { addProduct } from '../linalg/products';
import { binaryExponent, largestMagnitude, logNorm, scaleByPower } from '../linalg/scaling';
import { newStepJacobians, type ReferenceCell, type StepJacobians } from './cell';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from './run-cell';

/** What the columns are injected by: B_s, the whole state at s, or the whole initial state. */
export type PairsSource = 'input' | 'state' | 'initial';

/** Bytes of columns that are pushed together. */
const TILE_BYTES = 2 ** 21;

/** Columns are rescaled when the largest entry leaves 2^-64 .. 2^64. */
const RESCALE_EXPONENT = 64;

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
}

/**
 * Sources that are pushed together.
 *
 * @param cell - The cell.
 * @param source - What the columns are injected by.
 * @param steps - T.
 */
export function pairsTile(cell: ReferenceCell, source: PairsSource, steps: number): number {
  if (source === 'initial') return 1;
  const width = source === 'input' ? cell.inputDim : cell.stateSize;
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
 */
export function* propagatePairs(
  cell: ReferenceCell,
  trajectory: Trajectory,
  source: PairsSource,
): Generator<PairsRow, void, void> {
  const { direction, steps } = trajectory;
  const valid: number[] = [];
  for (let n = 0; n < steps; n++) if (isValidStep(trajectory, timeIndex(direction, steps, n))) valid.push(n);
  if (source === 'initial') {
    yield* pushTile(cell, trajectory, source, valid, 0, 1);
    return;
  }
  const tile = pairsTile(cell, source, steps);
  for (let first = 0; first < valid.length; first += tile) {
    yield* pushTile(cell, trajectory, source, valid, first, Math.min(tile, valid.length - first));
  }
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
  const width = source === 'input' ? inputDim : stateSize;
  const stride = width * count;
  const jacobians = newStepJacobians(cell);
  const columns = new PushedColumns(cell, width, count);
  if (source === 'initial') columns.inject(0, null);
  const h = new Float64Array(count);
  const c = hasCell ? new Float64Array(count) : null;
  const isInitial = source === 'initial';
  for (let at = first; at < valid.length; at++) {
    const n = valid[at];
    const t = timeIndex(direction, steps, n);
    const before = stateBefore(trajectory, cell, n);
    cell.linearise(x.subarray(t * inputDim, (t + 1) * inputDim), before, jacobians, 'both');
    columns.push(jacobians);
    const isSource = !isInitial && at - first < count;
    if (isSource) columns.inject(at - first, source === 'input' ? jacobians.inputJacobian : null);
    const sources = isInitial ? 1 : Math.min(count, at - first + 1);
    for (let k = 0; k < sources; k++) {
      h[k] = columns.logNorm(k, 0, hiddenSize, stride);
      if (c) c[k] = columns.logNorm(k, hiddenSize, stateSize, stride);
    }
    yield { target: at, firstSource: first, sources, h, c };
  }
}

/** Columns of several sources, `[S, count * width]`, those of each with an exponent. */
class PushedColumns {
  private columns: Float64Array;
  private next: Float64Array;
  private readonly exponents: Int32Array;
  private readonly rowNorms: Float64Array;
  private injected = 0;

  constructor(
    private readonly cell: ReferenceCell,
    private readonly width: number,
    count: number,
  ) {
    this.columns = new Float64Array(cell.stateSize * width * count);
    this.next = new Float64Array(this.columns.length);
    this.exponents = new Int32Array(count);
    this.rowNorms = new Float64Array(cell.stateSize);
  }

  /** Sets the columns of source k: `[S, width]`, or the identity for null. */
  inject(k: number, block: Float64Array | null): void {
    const { cell, width, columns } = this;
    const stride = columns.length / cell.stateSize;
    for (let row = 0; row < cell.stateSize; row++) {
      const start = row * stride + k * width;
      if (block) columns.set(block.subarray(row * width, (row + 1) * width), start);
      else columns[start + row] = 1;
    }
    this.injected = k + 1;
  }

  /** G <- A G for what was injected. */
  push({ stateJacobian }: StepJacobians): void {
    if (this.injected === 0) return;
    const { cell, columns, next } = this;
    const { stateSize, hiddenSize, units } = cell;
    const stride = columns.length / stateSize;
    const used = this.injected * this.width;
    next.fill(0);
    if (cell.hasDiagonalCellColumns) {
      addProduct(next, stride, stateJacobian, stateSize, columns, stride, stateSize, hiddenSize, used);
      for (let u = 0; u < units; u++) {
        const from = (hiddenSize + u) * stride;
        for (const row of [u, hiddenSize + u]) {
          const factor = stateJacobian[row * stateSize + hiddenSize + u];
          for (let j = 0; j < used; j++) next[row * stride + j] += factor * columns[from + j];
        }
      }
    } else {
      addProduct(next, stride, stateJacobian, stateSize, columns, stride, stateSize, stateSize, used);
    }
    this.columns = next;
    this.next = columns;
    for (let k = 0; k < this.injected; k++) this.rescale(k, stride);
  }

  /** ln of the norm of rows `from .. to` of source k, its exponent included. */
  logNorm(k: number, from: number, to: number, stride: number): number {
    const { columns, width, rowNorms } = this;
    let squares = 0;
    for (let row = from; row < to; row++) {
      const start = row * stride + k * width;
      for (let j = 0; j < width; j++) squares += columns[start + j] ** 2;
    }
    const shift = this.exponents[k] * Math.LN2;
    if (squares > 1e-200 && squares < 1e200) return 0.5 * Math.log(squares) + shift;
    for (let row = from; row < to; row++) rowNorms[row] = logNorm(columns, row * stride + k * width, width);
    return logSumOfSquares(rowNorms, from, to) + shift;
  }

  private rescale(k: number, stride: number): void {
    const { cell, columns, width } = this;
    let largest = 0;
    for (let row = 0; row < cell.stateSize; row++) {
      const start = row * stride + k * width;
      const magnitude = largestMagnitude(columns, start, start + width);
      if (!(magnitude <= largest)) largest = magnitude;
    }
    if (!(largest > 0) || largest === Infinity) return;
    const exponent = binaryExponent(largest);
    if (Math.abs(exponent) <= RESCALE_EXPONENT) return;
    for (let row = 0; row < cell.stateSize; row++) {
      const start = row * stride + k * width;
      for (let j = start; j < start + width; j++) columns[j] = scaleByPower(columns[j], -exponent);
    }
    this.exponents[k] += exponent;
  }
}

/** ln sqrt(sum of exp(2 l)) of log norms. */
function logSumOfSquares(logs: Float64Array, from: number, to: number): number {
  let largest = -Infinity;
  for (let at = from; at < to; at++) {
    if (Number.isNaN(logs[at])) return NaN;
    largest = Math.max(largest, logs[at]);
  }
  if (!Number.isFinite(largest)) return largest;
  let sum = 0;
  for (let at = from; at < to; at++) sum += Math.exp(2 * (logs[at] - largest));
  return largest + 0.5 * Math.log(sum);
}
