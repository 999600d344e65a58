/** D23: through how many directions a Jacobian carries, in two measures that do not need a threshold. */

/**
 * erank = exp(-sum p ln p), p = sigma / sum sigma: the entropy of the singular values as a number of directions.
 *
 * Numerics: from natural logs, so that singular values of any size are right. Source: D23 of method.md; Roy and
 * Vetterli 2007.
 *
 * @param logSingularValues - `[N]`, natural logs, descending.
 * @returns 1 to N; NaN for the zero matrix and for NaN.
 */
export function effectiveRank(logSingularValues: ArrayLike<number>): number {
  const shares = Array.from(logSingularValues, (log) => Math.exp(log - logSingularValues[0]));
  const total = shares.reduce((sum, share) => sum + share, 0);
  let entropy = 0;
  for (const share of shares) {
    const part = share / total;
    // A part that underflows has no weight; NaN goes on.
    if (part !== 0) entropy -= part * Math.log(part);
  }
  return Math.exp(entropy);
}

/**
 * ||J||_F^2 / sigma_1^2, the stable rank.
 *
 * Source: D23 of method.md; Rudelson and Vershynin 2007.
 *
 * @param logSingularValues - `[N]`, natural logs, descending.
 * @returns 1 to N; NaN for the zero matrix and for NaN.
 */
export function stableRank(logSingularValues: ArrayLike<number>): number {
  return Array.from(logSingularValues, (log) => Math.exp(2 * (log - logSingularValues[0]))).reduce(
    (sum, square) => sum + square,
    0,
  );
}
