/**
 * Powers of two: exact scaling, and norms that neither underflow nor overflow.
 *
 * Multiplying by a power of two rounds nothing, which is why chains of Jacobians keep an integer exponent beside
 * their values (method.md 2.7).
 */

/** The exponent of the largest finite double, and of the smallest normal one. */
const MAX_EXPONENT = 1023;
const MIN_EXPONENT = -1022;

/** Sums of squares inside this range have lost nothing to underflow or overflow. */
const SAFE_SQUARE_MIN = 1e-250;
const SAFE_SQUARE_MAX = 1e250;

/**
 * floor(log2 |value|), the binary exponent.
 *
 * @param value - Finite and not zero.
 */
export function binaryExponent(value: number): number {
  const magnitude = Math.abs(value);
  let exponent = Math.floor(Math.log2(magnitude));
  if (scaleByPower(magnitude, -exponent) >= 2) exponent++;
  else if (scaleByPower(magnitude, -exponent) < 1) exponent--;
  return exponent;
}

/**
 * value times 2^exponent, for any integer exponent; rounds only where the result is subnormal.
 *
 * @param value - Any number.
 * @param exponent - Integer.
 */
export function scaleByPower(value: number, exponent: number): number {
  let result = value;
  let rest = exponent;
  while (rest > MAX_EXPONENT && result !== 0 && Number.isFinite(result)) {
    result *= 2 ** MAX_EXPONENT;
    rest -= MAX_EXPONENT;
  }
  while (rest < MIN_EXPONENT && result !== 0 && Number.isFinite(result)) {
    result *= 2 ** MIN_EXPONENT;
    rest -= MIN_EXPONENT;
  }
  return result * 2 ** Math.max(Math.min(rest, MAX_EXPONENT), MIN_EXPONENT);
}

/**
 * The largest absolute value; NaN when there is one.
 *
 * @param data - Values.
 * @param start - First index.
 * @param end - Index after the last.
 */
export function largestMagnitude(data: ArrayLike<number>, start = 0, end = data.length): number {
  let largest = 0;
  for (let at = start; at < end; at++) {
    const magnitude = Math.abs(data[at]);
    if (magnitude > largest) largest = magnitude;
    else if (Number.isNaN(magnitude)) return NaN;
  }
  return largest;
}

/**
 * ln of the Euclidean norm of `count` entries, `start`, `start + stride`, ...; -Infinity only for exact zeros.
 *
 * Numerics: float64 sums; entries are scaled by a power of two where their squares would leave the range, so that
 * norms from 1e-320 to 1e308 are right to rounding.
 *
 * @param data - Values.
 * @param start - First index.
 * @param count - How many entries.
 * @param stride - Distance between entries.
 */
export function logNorm(data: ArrayLike<number>, start = 0, count = data.length, stride = 1): number {
  let sum = 0;
  for (let k = 0, at = start; k < count; k++, at += stride) sum += data[at] * data[at];
  if (sum > SAFE_SQUARE_MIN && sum < SAFE_SQUARE_MAX) return 0.5 * Math.log(sum);
  let largest = 0;
  for (let k = 0, at = start; k < count; k++, at += stride) {
    const magnitude = Math.abs(data[at]);
    if (Number.isNaN(magnitude)) return NaN;
    if (magnitude > largest) largest = magnitude;
  }
  if (largest === 0) return -Infinity;
  if (largest === Infinity) return Infinity;
  const exponent = binaryExponent(largest);
  sum = 0;
  for (let k = 0, at = start; k < count; k++, at += stride) sum += scaleByPower(data[at], -exponent) ** 2;
  return 0.5 * Math.log(sum) + exponent * Math.LN2;
}

/**
 * The Frobenius norm of a matrix, without underflow or overflow of its squares.
 *
 * @param data - Its entries, in any order.
 */
export function frobeniusNorm(data: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < data.length; at++) sum += data[at] * data[at];
  if (sum > SAFE_SQUARE_MIN && sum < SAFE_SQUARE_MAX) return Math.sqrt(sum);
  const largest = largestMagnitude(data);
  if (!(largest > 0) || largest === Infinity) return largest;
  const exponent = binaryExponent(largest);
  sum = 0;
  for (let at = 0; at < data.length; at++) sum += scaleByPower(data[at], -exponent) ** 2;
  return scaleByPower(Math.sqrt(sum), exponent);
}

/**
 * ln sqrt(exp(2a) + exp(2b)): the norm of two blocks together.
 *
 * @param a - Log norm of one.
 * @param b - Log norm of the other.
 */
export function addNorms(a: number, b: number): number {
  const larger = Math.max(a, b);
  if (!Number.isFinite(larger)) return Number.isNaN(a) || Number.isNaN(b) ? NaN : larger;
  return larger + 0.5 * Math.log1p(Math.exp(2 * (Math.min(a, b) - larger)));
}
