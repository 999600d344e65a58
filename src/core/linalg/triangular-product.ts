/**
 * A long product of upper triangular matrices, and the logarithms of its singular values.
 *
 * The rows of such a product part by hundreds of decades, so each carries its own power of two. Its singular values
 * are right to a relative error that depends on how well the scaled rows stand apart, not on how far they part:
 * Gram-Schmidt turns the rows into a nearly diagonal triangle, one-sided Jacobi rotations do the rest.
 */
import { TempogradError } from '../errors';
import { logSingularValueSteps } from './graded-jacobi';
import { orthonormalSteps } from './orthonormal-rows';
import { identity } from './products';
import { binaryExponent, largestMagnitude, scaleByPower } from './scaling';

/** Rows are brought back near 1 when they leave 2^-40 .. 2^40. */
const LOOSE_EXPONENT = 40;

/** Stands for the exponent of a row that is exactly zero. */
const NO_EXPONENT = -(2 ** 40);

/** P = R_n ... R_2 R_1, row i kept as `rows[i]` times 2^`exponents[i]`. */
export class TriangularProduct {
  private readonly rows: Float64Array;
  private readonly exponents: Float64Array;

  /**
   * The identity, or a product that was made elsewhere.
   *
   * @param size - S
   * @param made - Rows `[S, S]` and their exponents `[S]`; taken over.
   */
  constructor(
    private readonly size: number,
    made: { readonly rows: Float64Array; readonly exponents: Float64Array } | null = null,
  ) {
    this.rows = made?.rows ?? identity(size);
    this.exponents = made?.exponents ?? new Float64Array(size);
  }

  /**
   * P <- R P.
   *
   * Numerics: float64, exact scaling; about S^3/3 multiplications.
   *
   * @param triangle - R `[S, S]`, upper triangular.
   */
  multiplyLeft(triangle: Float64Array): void {
    const { size, rows, exponents } = this;
    for (let i = 0; i < size; i++) {
      let joint = NO_EXPONENT;
      for (let k = i; k < size; k++) if (triangle[i * size + k] !== 0) joint = Math.max(joint, exponents[k]);
      const start = i * size;
      const own = joint === NO_EXPONENT ? 0 : scaleByPower(triangle[start + i], exponents[i] - joint);
      for (let at = start + i; at < start + size; at++) rows[at] *= own;
      for (let k = i + 1; k < size; k++) {
        if (triangle[start + k] === 0) continue;
        const weight = scaleByPower(triangle[start + k], exponents[k] - joint);
        if (weight === 0) continue;
        for (let j = k; j < size; j++) rows[start + j] += weight * rows[k * size + j];
      }
      this.settle(i, joint);
    }
  }

  /**
   * ln of the singular values of P, `[S]` descending; -Infinity for those that are exactly zero, NaN throughout when
   * an entry is not finite. P is used up.
   *
   * Numerics: float64; relative to each singular value, not to the largest. Source: D5 of method.md; Demmel and
   * Veselic 1992 (Jacobi's method is more accurate than QR).
   *
   * @throws TempogradError `numerics/not-converged` when the rotations do not come to rest.
   */
  logSingularValues(): Float64Array {
    const steps = this.singularValueSteps();
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
    }
  }

  /**
   * The same bit by bit, for callers that must not block for the length of a large matrix.
   *
   * @returns A generator that stops now and then, and ends with the logs.
   * @throws TempogradError as `logSingularValues` does.
   */
  *singularValueSteps(): Generator<undefined, Float64Array, void> {
    const { size, rows, exponents } = this;
    if (Number.isNaN(largestMagnitude(rows))) return new Float64Array(size).fill(NaN);
    const norms = Float64Array.from({ length: size }, (_, i) => this.logNormOf(i));
    const order = Array.from({ length: size }, (_, i) => i).sort((a, b) => compareDescending(norms[a], norms[b]));
    const sorted = new Float64Array(size * size);
    order.forEach((row, place) => sorted.set(rows.subarray(row * size, (row + 1) * size), place * size));
    const triangle = new Float64Array(size * size);
    yield* orthonormalSteps(sorted, size, size, triangle);
    // Row i of P is sum_k L_ik q_k with L the transposed triangle, so that L has the singular values of P.
    const columns = sorted;
    const scales = new Float64Array(size);
    for (let k = 0; k < size; k++) {
      let joint = NO_EXPONENT;
      for (let i = k; i < size; i++) {
        const entry = triangle[k * size + i];
        if (entry !== 0) joint = Math.max(joint, exponents[order[i]] + binaryExponent(entry));
      }
      scales[k] = joint;
      for (let i = 0; i < size; i++) {
        const entry = i < k ? 0 : triangle[k * size + i];
        columns[k * size + i] = entry === 0 ? 0 : scaleByPower(entry, exponents[order[i]] - joint);
      }
    }
    const logs = yield* logSingularValueSteps(columns, scales, size);
    if (logs === null) {
      throw new TempogradError(
        'numerics/not-converged',
        `the singular values of a product of size ${size} did not settle`,
      );
    }
    return logs.sort().reverse();
  }

  private logNormOf(i: number): number {
    const largest = largestMagnitude(this.rows, i * this.size, (i + 1) * this.size);
    return largest === 0 ? -Infinity : Math.log2(largest) + this.exponents[i];
  }

  /** Takes `joint` as the exponent of row i, and brings the row near 1 when it left the range. */
  private settle(i: number, joint: number): void {
    const { size, rows, exponents } = this;
    const start = i * size;
    const largest = largestMagnitude(rows, start, start + size);
    if (largest === 0) {
      exponents[i] = NO_EXPONENT;
      return;
    }
    exponents[i] = joint;
    if (!Number.isFinite(largest)) return;
    const shift = binaryExponent(largest);
    if (Math.abs(shift) <= LOOSE_EXPONENT) return;
    for (let at = start; at < start + size; at++) rows[at] = scaleByPower(rows[at], -shift);
    exponents[i] += shift;
  }
}

function compareDescending(a: number, b: number): number {
  return a === b ? 0 : b - a;
}
