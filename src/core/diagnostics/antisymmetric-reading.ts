/** D11: how near a recurrence is to one that neither grows nor decays, read off the eigenvalues' real parts. */
import { eigenvalues } from '../linalg/decompositions';

/**
 * max |Re eig(M)|: 0 for an antisymmetric matrix such as W - W^T, the critical case of dh/dt = M h.
 *
 * Numerics: QR algorithm in float64. Source: D11 of method.md; Chang et al. 1902.09689.
 *
 * @param matrix - `[size, size]`.
 * @param size - Rows.
 * @returns NaN when an entry is not finite.
 */
export function largestRealPart(matrix: ArrayLike<number>, size: number): number {
  return largestRealPartOf(eigenvalues(matrix, size).real);
}

/**
 * The largest absolute value of some real parts.
 *
 * @param real - Real parts of eigenvalues.
 * @returns NaN when one is.
 */
export function largestRealPartOf(real: Float64Array): number {
  return real.reduce((largest, part) => (Number.isNaN(part) ? NaN : Math.max(largest, Math.abs(part))), 0);
}

/**
 * sqrt(1 + epsilon^2 omega^2), the gain of one Euler step of dh/dt = M h along an eigenvalue i omega: above 1 although
 * its real part is 0, which is why such networks take a diffusion term.
 *
 * Source: D11 of method.md; Chang et al. 1902.09689.
 *
 * @param step - epsilon.
 * @param frequency - omega.
 */
export function eulerGain(step: number, frequency: number): number {
  return Math.hypot(1, step * frequency);
}
