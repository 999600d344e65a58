/**
 * Orthonormal rows by Gram-Schmidt, in place and without allocation: the QR of a matrix that is kept transposed.
 *
 * Rows are vectors, so that each one lies together in memory. A row that depends on those before it becomes exactly
 * zero instead of a direction made of rounding.
 */
import { frobeniusNorm } from './scaling';

/** A second pass is needed where the first one left less than this share of the row (Kahan and Parlett). */
const REORTHOGONALIZE_BELOW = 0.7071;

/** What is left of a row below this share of it is rounding of float64. */
const DEPENDENT_BELOW = 8 * Number.EPSILON;

/**
 * Makes rows orthonormal in place, v_j = sum_{i <= j} R_ij q_i.
 *
 * Numerics: modified Gram-Schmidt in float64, repeated for a row that lost more than half of its square; a row that
 * depends on the ones before it to 8 units of rounding (or to `dependentBelow`) becomes zeros, with R_jj = 0. NaN stays NaN.
 * Source: D12 of method.md; Parlett, The Symmetric Eigenvalue Problem, 6.9 (twice is enough).
 *
 * @param rows - `[count, length]`: the vectors v_j, replaced by q_j.
 * @param count - How many, at most `length`.
 * @param length - Entries of each.
 * @param triangle - `[count, count]`, R, overwritten; upper triangular with a diagonal that is not negative.
 * @param dependentBelow - Share of a row that is rounding of where it comes from.
 */
export function orthonormalizeRows(
  rows: Float64Array,
  count: number,
  length: number,
  triangle: Float64Array,
  dependentBelow = DEPENDENT_BELOW,
): void {
  const steps = orthonormalSteps(rows, count, length, triangle, dependentBelow);
  while (!steps.next().done);
}

/**
 * The same row by row, for callers that must not block for the length of a large matrix.
 *
 * @param rows - As for `orthonormalizeRows`.
 * @param count - How many.
 * @param length - Entries of each.
 * @param triangle - R, overwritten.
 * @param dependentBelow - Share of a row that is rounding.
 * @returns A generator that stops after each row.
 */
export function* orthonormalSteps(
  rows: Float64Array,
  count: number,
  length: number,
  triangle: Float64Array,
  dependentBelow = DEPENDENT_BELOW,
): Generator<undefined, void, void> {
  triangle.fill(0);
  for (let j = 0; j < count; j++) {
    if (j > 0) yield;
    const start = j * length;
    const row = rows.subarray(start, start + length);
    const whole = frobeniusNorm(row);
    if (whole === 0) continue;
    let before = whole;
    let rest = whole;
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < j; i++) {
        const from = i * length;
        let product = 0;
        for (let at = 0; at < length; at++) product += rows[from + at] * rows[start + at];
        if (product === 0) continue;
        for (let at = 0; at < length; at++) rows[start + at] -= product * rows[from + at];
        triangle[i * count + j] += product;
      }
      rest = frobeniusNorm(row);
      if (rest > REORTHOGONALIZE_BELOW * before) break;
      before = rest;
    }
    if (rest <= dependentBelow * whole) {
      row.fill(0);
      continue;
    }
    triangle[j * count + j] = rest;
    const factor = 1 / rest;
    if (Number.isFinite(factor)) for (let at = start; at < start + length; at++) rows[at] *= factor;
    else for (let at = start; at < start + length; at++) rows[at] /= rest;
  }
}
