/**
 * Columns G = ds_t/d(source) of one sequence in float64, pushed by G <- A_t G, with an integer exponent for each source.
 */
import { addProduct } from '../linalg/products';
import { binaryExponent, largestMagnitude, logNorm, scaleByPower } from '../linalg/scaling';
import type { ReferenceCell, StepJacobians } from './cell';

/** Columns are rescaled when the largest entry leaves 2^-64 .. 2^64. */
const RESCALE_EXPONENT = 64;

/** Entries of the columns of one source. */
export interface ColumnEntries {
  readonly values: Float64Array;
  readonly start: number;
  readonly stride: number;
  readonly exponent: number;
}

/** Columns of several sources, `[S, count * width]`; the true ones of a source are those times 2^exponent. */
export class ReferenceColumns {
  private columns: Float64Array;
  private next: Float64Array;
  private readonly exponents: Int32Array;
  private readonly rowNorms: Float64Array;
  private injected = 0;

  /**
   * @param cell - The cell.
   * @param width - Columns of a source.
   * @param count - How many sources there will be.
   */
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

  /**
   * Sets the columns of a source.
   *
   * @param k - Its place.
   * @param block - `[S, width]`
   */
  inject(k: number, block: Float64Array): void {
    const { cell, width, columns, stride } = this;
    for (let row = 0; row < cell.stateSize; row++) {
      columns.set(block.subarray(row * width, (row + 1) * width), row * stride + k * width);
    }
    this.injected = k + 1;
  }

  /**
   * Sets the columns of a source to columns of the identity.
   *
   * @param k - Its place.
   * @param first - The first of them.
   */
  injectState(k: number, first: number): void {
    const { width, columns, stride } = this;
    for (let column = 0; column < width; column++) columns[(first + column) * stride + k * width + column] = 1;
    this.injected = k + 1;
  }

  /**
   * G <- A G for what was injected.
   *
   * @param jacobians - Of the step.
   */
  push({ stateJacobian }: StepJacobians): void {
    if (this.injected === 0) return;
    const { cell, columns, next, stride } = this;
    const { stateSize, hiddenSize, units } = cell;
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
    for (let k = 0; k < this.injected; k++) this.rescale(k);
  }

  /**
   * ln of the norm of rows `from .. to` of a source, its exponent included.
   *
   * @param k - Its place.
   * @param from - First row.
   * @param to - Row after the last.
   */
  logNorm(k: number, from: number, to: number): number {
    const { columns, width, rowNorms, stride } = this;
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

  /**
   * Where the entries of a source stand: row r from `start + r * stride` on, true up to 2^exponent.
   *
   * @param k - Its place.
   */
  entriesOf(k: number): ColumnEntries {
    return { values: this.columns, start: k * this.width, stride: this.stride, exponent: this.exponents[k] };
  }

  private get stride(): number {
    return this.columns.length / this.cell.stateSize;
  }

  private rescale(k: number): void {
    const { cell, columns, width, stride } = this;
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
