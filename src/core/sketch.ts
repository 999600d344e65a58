/**
 * Norms estimated from a few random directions instead of all columns.
 *
 * With Omega of k orthonormal columns times sqrt(n/k), the expectation of ||J Omega||^2 is ||J||^2.
 */
import { makeRandom } from './random';

/** Standard normal quantile of 97.5 %. */
const NORMAL_QUANTILE = 1.959964;

/**
 * Omega, `[n, k]` row-major: orthonormal columns times sqrt(n/k).
 *
 * Numerics: Gram-Schmidt twice in float64. Source: method.md 2.8.
 *
 * @param size - n
 * @param columns - k, at most n.
 * @param seed - The same seed gives the same matrix.
 */
export function sketchMatrix(size: number, columns: number, seed: number): Float64Array {
  const random = makeRandom(seed);
  const made: Float64Array[] = [];
  while (made.length < columns) {
    const column = Float64Array.from({ length: size }, () => random.nextNormal());
    for (let pass = 0; pass < 2; pass++) {
      for (const other of made) {
        const share = column.reduce((sum, value, row) => sum + value * other[row], 0);
        other.forEach((value, row) => (column[row] -= share * value));
      }
    }
    const norm = Math.sqrt(column.reduce((sum, value) => sum + value * value, 0));
    // A draw that lies in the space of the others by chance is drawn again.
    if (norm > 1e-6) made.push(column.map((value) => value / norm));
  }
  const scale = Math.sqrt(size / columns);
  const matrix = new Float64Array(size * columns);
  made.forEach((column, k) => column.forEach((value, row) => (matrix[row * columns + k] = scale * value)));
  return matrix;
}

/**
 * Between which distances, in nats, the estimated log norm lies around the true one in 95 of 100 cases, at worst.
 *
 * The worst case is a Jacobian of rank one: ||J Omega||^2 / ||J||^2 is then nearly chi-squared with k degrees of freedom
 * over k, a little narrower for orthonormal columns. Numerics: Wilson and Hilferty's approximation, within .01 nats for
 * k >= 2. Source: method.md 2.8.
 *
 * @param columns - k
 */
export function sketchBand(columns: number): readonly [low: number, high: number] {
  const spread = 2 / (9 * columns);
  const quantile = (z: number): number => Math.max(1e-3, 1 - spread + z * Math.sqrt(spread)) ** 3;
  return [0.5 * Math.log(quantile(-NORMAL_QUANTILE)), 0.5 * Math.log(quantile(NORMAL_QUANTILE))];
}
