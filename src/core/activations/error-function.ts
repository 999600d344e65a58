/**
 * The normal distribution function in float64, which GELU and confidences need.
 *
 * Series near 0, continued fraction in the tails: the tails keep their relative precision.
 */

const SQRT_HALF = Math.SQRT1_2;
const SERIES_LIMIT = 2;

/**
 * erf(x) for |x| <= 2 by erf(x) = 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (1 3 5 .. (2n+1)).
 *
 * All terms have one sign, so that nothing cancels. Source: Abramowitz and Stegun 7.1.6.
 */
function erfSeries(x: number): number {
  const square = 2 * x * x;
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= square / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/**
 * erfc(x) for x > 2 by the continued fraction x + (1/2)/(x + 1/(x + (3/2)/(x + ...))), evaluated from its tail.
 *
 * Source: Abramowitz and Stegun 7.1.14.
 */
function erfcFraction(x: number): number {
  const terms = 60;
  let fraction = x;
  for (let n = terms; n >= 1; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}

/**
 * Phi(x) = P(X <= x) of the standard normal distribution.
 *
 * Numerics: relative error below 1e-13 also in the lower tail.
 * Source: Abramowitz and Stegun 7.1.6 and 7.1.14.
 *
 * @param x - Any number; NaN gives NaN.
 */
export function normalDistribution(x: number): number {
  if (Number.isNaN(x)) return NaN;
  const scaled = Math.abs(x) * SQRT_HALF;
  if (scaled <= SERIES_LIMIT) return 0.5 * (1 + Math.sign(x) * erfSeries(scaled));
  const tail = 0.5 * erfcFraction(scaled);
  return x < 0 ? tail : 1 - tail;
}

/**
 * phi(x) = exp(-x^2/2) / sqrt(2 pi), the standard normal density.
 *
 * @param x - Any number.
 */
export function normalDensity(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}
