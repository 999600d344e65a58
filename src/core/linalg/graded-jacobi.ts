/**
 * Singular values of a matrix whose columns part by any number of decades, by one-sided Jacobi rotations.
 */
import { binaryExponent, largestMagnitude, logNorm, scaleByPower } from './scaling';

/** Columns whose cosine is below this count as orthogonal. */
const ORTHOGONAL_COSINE = 1e-14;

/** Two columns further apart than 2^30 are made orthogonal by taking the larger one out of the smaller one. */
const FAR_EXPONENT = 30;

/** The rotations settle in 5 to 10 rounds; more than this is a fault. */
const MAX_ROUNDS = 60;

/**
 * ln of the singular values of a matrix, in no particular order; -Infinity for zero columns.
 *
 * Numerics: float64, relative to each singular value where the columns, scaled to unit length, are well conditioned.
 * Source: Demmel and Veselic 1992; Hestenes 1958.
 *
 * @param columns - `[size, size]`, column after column, finite; used up.
 * @param exponents - `[size]`: the true column k is the stored one times 2^exponents[k].
 * @param size - Columns, and entries of each.
 * @returns A generator that stops now and then; it ends with null when the rotations do not come to rest.
 */
export function* logSingularValueSteps(
  columns: Float64Array,
  exponents: Float64Array,
  size: number,
): Generator<undefined, Float64Array | null, void> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let isAtRest = true;
    for (let k = 0; k < size; k++) bringNearOne(columns, exponents, size, k);
    for (let a = 0; a < size - 1; a++) {
      for (let b = a + 1; b < size; b++) if (rotate(columns, exponents, size, a, b)) isAtRest = false;
      yield;
    }
    if (!isAtRest) continue;
    return Float64Array.from({ length: size }, (_, k) => logNorm(columns, k * size, size) + exponents[k] * Math.LN2);
  }
  return null;
}

/** Moves the magnitude of a column into its exponent. */
function bringNearOne(columns: Float64Array, exponents: Float64Array, size: number, k: number): void {
  const start = k * size;
  const largest = largestMagnitude(columns, start, start + size);
  if (largest === 0) return;
  const shift = binaryExponent(largest);
  for (let at = start; at < start + size; at++) columns[at] = scaleByPower(columns[at], -shift);
  exponents[k] += shift;
}

/** Makes columns a and b orthogonal; false when they already were. */
function rotate(columns: Float64Array, exponents: Float64Array, size: number, a: number, b: number): boolean {
  let product = 0;
  let squareA = 0;
  let squareB = 0;
  for (let at = 0, u = a * size, w = b * size; at < size; at++, u++, w++) {
    product += columns[u] * columns[w];
    squareA += columns[u] * columns[u];
    squareB += columns[w] * columns[w];
  }
  if (product === 0 || Math.abs(product) <= ORTHOGONAL_COSINE * Math.sqrt(squareA * squareB)) return false;
  const apart = exponents[a] - exponents[b] + 0.5 * Math.log2(squareA / squareB);
  const isFirstLarger = apart >= 0;
  const large = (isFirstLarger ? a : b) * size;
  const small = (isFirstLarger ? b : a) * size;
  const largeSquare = isFirstLarger ? squareA : squareB;
  if (Math.abs(apart) > FAR_EXPONENT) {
    const share = product / largeSquare;
    for (let at = 0; at < size; at++) columns[small + at] -= share * columns[large + at];
    return true;
  }
  const ratio = 2 ** (isFirstLarger ? exponents[b] - exponents[a] : exponents[a] - exponents[b]);
  const smallSquare = ratio * ratio * (isFirstLarger ? squareB : squareA);
  const zeta = (smallSquare - largeSquare) / (2 * ratio * product);
  const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
  const cosine = 1 / Math.sqrt(1 + tangent * tangent);
  const sine = cosine * tangent;
  for (let at = 0; at < size; at++) {
    const u = columns[large + at];
    const w = columns[small + at];
    columns[large + at] = cosine * u - sine * ratio * w;
    columns[small + at] = (sine / ratio) * u + cosine * w;
  }
  return true;
}
