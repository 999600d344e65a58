/** D14: the dimension of the attractor and the rate at which it makes information, from the Lyapunov exponents. */

/**
 * D_KY = k + sum_{i <= k} lambda_i / |lambda_{k+1}|, k the most exponents whose sum is not negative.
 *
 * 0 when the first exponent is negative, S when all S together still grow.
 * Source: D14 of method.md; Kaplan and Yorke 1979, as in Engelken et al. 2006.02427.
 *
 * @param exponents - `[p]`, descending.
 * @param stateSize - S; with p < S it may take more exponents than there are.
 * @returns null when more exponents are needed or one is NaN.
 */
export function kaplanYorkeDimension(exponents: ArrayLike<number>, stateSize: number): number | null {
  let sum = 0;
  for (let k = 0; k < exponents.length; k++) {
    const exponent = exponents[k];
    if (Number.isNaN(exponent)) return null;
    if (sum + exponent < 0) return exponent === -Infinity ? k : k + sum / Math.abs(exponent);
    sum += exponent;
  }
  return exponents.length >= stateSize ? stateSize : null;
}

/**
 * H = sum of the positive exponents, nats per step: an upper bound of the entropy rate (Ruelle), which systems with a
 * smooth invariant measure reach (Pesin).
 *
 * Source: D14 of method.md; Engelken et al. 2006.02427.
 *
 * @param exponents - `[p]`, descending.
 * @param stateSize - S.
 * @returns null when all exponents are positive and there are more than p, or one is NaN.
 */
export function entropyRate(exponents: ArrayLike<number>, stateSize: number): number | null {
  let sum = 0;
  for (let k = 0; k < exponents.length; k++) {
    if (Number.isNaN(exponents[k])) return null;
    if (exponents[k] <= 0) return sum;
    sum += exponents[k];
  }
  return exponents.length >= stateSize ? sum : null;
}
