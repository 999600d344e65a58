/** Matrices whose columns have an exponent each, and their products. */
import type { Ops, Value } from '../ops';
import type { Arithmetic } from './arithmetic';

/** A matrix `[S, S]` whose true column j is the stored one times 2^exponents[j]. */
export interface ScaledColumns {
  readonly value: Value;
  readonly exponents: Int32Array;
}

/** The largest power of two that is a factor in float32; only rows that have lost their digits would need a larger one. */
const LARGEST_FACTOR_EXPONENT = 126;

/**
 * The product of such a matrix with columns, up to 2^shift; the caller's.
 *
 * Numerics: rows of the columns meet columns of the matrix; their exponents are joined before they are multiplied, so
 * that a direction is not lost because another one is far larger.
 *
 * @param arithmetic - Operations.
 * @param matrix - The matrix; not freed.
 * @param columns - `[S, m]`; not freed.
 * @param keptExponent - The largest entries come near 2 to this.
 */
export function multiplyColumns(
  arithmetic: Arithmetic,
  matrix: ScaledColumns,
  columns: Value,
  keptExponent: number,
): { readonly value: Value; readonly shift: number } {
  const { ops } = arithmetic;
  const largest = ops.tidy(() => arithmetic.read(ops.max(ops.abs(columns), [1])));
  let top = -Infinity;
  for (let row = 0; row < largest.length; row++) {
    top = Math.max(top, Math.log2(largest[row]) + matrix.exponents[row]);
  }
  const shift = Number.isFinite(top) ? Math.round(top) - keptExponent : 0;
  const value = ops.tidy(() => ops.matMul(matrix.value, scaledRows(ops, columns, matrix.exponents, shift)));
  return { value: ops.keep(value), shift };
}

/**
 * Factors of the columns of some lanes and sources, `[lanes * m]`: 2^(sign exponent) of the source that a column has.
 *
 * @param exponents - Of each lane and source.
 * @param widths - Columns of each source.
 * @param sign - -1 to take exponents away.
 */
export function columnFactors(exponents: Int32Array, widths: readonly number[], sign: 1 | -1 = 1): Float64Array {
  const lanes = exponents.length / widths.length;
  const factors = new Float64Array(lanes * widths.reduce((sum, width) => sum + width, 0));
  let column = 0;
  exponents.forEach((exponent, at) => {
    const end = column + widths[at % widths.length];
    factors.fill(2 ** (sign * exponent), column, end);
    column = end;
  });
  return factors;
}

/** Rows times 2^(exponents - shift), in two halves: one factor alone may leave the range of float32. */
function scaledRows(ops: Ops, rows: Value, exponents: Int32Array, shift: number): Value {
  const half = (of: (exponent: number) => number): Value => {
    const powers = Float64Array.from(exponents, (exponent) => 2 ** Math.min(LARGEST_FACTOR_EXPONENT, of(exponent)));
    return ops.upload(powers, [rows.shape[0], 1]);
  };
  const first = half((exponent) => Math.trunc((exponent - shift) / 2));
  const second = half((exponent) => exponent - shift - Math.trunc((exponent - shift) / 2));
  return ops.mul(ops.mul(rows, first), second);
}

/**
 * The sum of squares of some numbers.
 *
 * @param values - Numbers.
 * @param from - The first.
 * @param to - Behind the last.
 */
export function sumOfSquares(values: ArrayLike<number>, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at++) sum += values[at] * values[at];
  return sum;
}
