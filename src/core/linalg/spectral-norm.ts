/**
 * The largest singular value of a matrix of any size.
 *
 * Small matrices take the full decomposition. Large ones take Golub-Kahan bidiagonalisation with full
 * reorthogonalisation: a power iteration would need thousands of products where the leading values lie close together,
 * as they do in every randomly initialised kernel.
 */
import { singularValues } from './decompositions';
import { logNorm } from './scaling';

const FULL_DECOMPOSITION_LIMIT = 64;
const RELATIVE_TOLERANCE = 1e-12;
const CHECK_EVERY = 8;
const GOLDEN_RATIO = 0.6180339887498949;

/**
 * sigma_1 of a matrix, its largest singular value.
 *
 * Numerics: relative error below 1e-9. Source: Golub and Kahan 1965; Lanczos with full reorthogonalisation.
 *
 * @param data - `[rows, columns]` row-major.
 * @param rows - Rows.
 * @param columns - Columns.
 * @returns NaN when an entry is not finite.
 */
export function spectralNorm(data: ArrayLike<number>, rows: number, columns: number): number {
  const logScale = logNorm(data);
  if (logScale === -Infinity) return 0;
  if (!Number.isFinite(logScale)) return NaN;
  if (Math.min(rows, columns) <= FULL_DECOMPOSITION_LIMIT) return singularValues(data, rows, columns)[0];
  return bidiagonalise(data, rows, columns);
}

/** sigma_1 by Golub-Kahan from a fixed start vector, until it no longer moves. */
function bidiagonalise(data: ArrayLike<number>, rows: number, columns: number): number {
  const right: Float64Array[] = [startVector(columns)];
  const left: Float64Array[] = [];
  const alphas: number[] = [];
  const betas: number[] = [];
  const limit = Math.min(rows, columns);
  let estimate = 0;
  while (alphas.length < limit) {
    const v = right[right.length - 1];
    const u = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let column = 0, at = row * columns; column < columns; column++, at++) sum += data[at] * v[column];
      u[row] = sum;
    }
    alphas.push(orthonormalise(u, left));
    left.push(u);
    const w = new Float64Array(columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0, at = row * columns; column < columns; column++, at++) w[column] += data[at] * u[row];
    }
    const beta = orthonormalise(w, right);
    betas.push(beta);
    right.push(w);
    const isExhausted = beta <= RELATIVE_TOLERANCE * estimate;
    if (!isExhausted && alphas.length % CHECK_EVERY !== 0 && alphas.length < limit) continue;
    const previous = estimate;
    estimate = leadingOfBidiagonal(alphas, betas);
    if (isExhausted || estimate - previous <= RELATIVE_TOLERANCE * estimate) return estimate;
  }
  return estimate;
}

/**
 * Fixed and without symmetry, so that it is orthogonal to no leading vector that a real kernel has; multiples of the golden
 * ratio, because the last bits of a sine are not the same on every JavaScript engine.
 */
function startVector(size: number): Float64Array {
  const vector = Float64Array.from({ length: size }, (_, at) => 1 + 0.5 * ((at * GOLDEN_RATIO) % 1));
  orthonormalise(vector, []);
  return vector;
}

/** Removes the given directions (twice, for full precision), scales to length 1 and returns the length before. */
function orthonormalise(vector: Float64Array, basis: readonly Float64Array[]): number {
  for (let pass = 0; pass < 2; pass++) {
    for (const direction of basis) {
      let product = 0;
      for (let at = 0; at < vector.length; at++) product += direction[at] * vector[at];
      for (let at = 0; at < vector.length; at++) vector[at] -= product * direction[at];
    }
  }
  const norm = Math.exp(logNorm(vector));
  if (norm > 0) for (let at = 0; at < vector.length; at++) vector[at] /= norm;
  return norm;
}

/** The largest singular value of the upper bidiagonal matrix with the given diagonal and superdiagonal. */
function leadingOfBidiagonal(alphas: readonly number[], betas: readonly number[]): number {
  const size = alphas.length;
  const matrix = new Float64Array(size * size);
  for (let at = 0; at < size; at++) {
    matrix[at * size + at] = alphas[at];
    if (at + 1 < size) matrix[at * size + at + 1] = betas[at];
  }
  return singularValues(matrix, size, size)[0];
}
