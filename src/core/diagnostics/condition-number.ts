/** D6: how unevenly a long Jacobian carries its directions. */

/**
 * kappa = sigma_1 / sigma_N of a matrix, from the logs of its singular values.
 *
 * Source: D6 of method.md; Engelken 2312.17306 (about exp((lambda_1 - lambda_N)(T - s))).
 *
 * @param logSingularValues - `[N]`, natural logs, descending.
 * @returns Infinity for a singular matrix or where no float64 holds it; NaN for the zero matrix and for NaN.
 */
export function conditionNumber(logSingularValues: ArrayLike<number>): number {
  return Math.exp(logSingularValues[0] - logSingularValues[logSingularValues.length - 1]);
}
