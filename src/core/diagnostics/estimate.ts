/** A mean with its uncertainty, and how sequences are put together. */

/** The factor of a 95 % interval of a normal estimate. */
export const NORMAL_95 = 1.96;

/** A mean over sequences with its standard error. */
export interface Estimate {
  readonly mean: number;
  readonly standardError: number;
}

/**
 * The mean over sequences, with variance = variance between sequences / B + mean of their own variances / B.
 *
 * The variance between sequences is the sample variance (ddof 1), 0 for one sequence. Source: method.md 3.1, point 2.
 *
 * @param values - One value and its own variance per sequence, at least one.
 */
export function combineSequences(values: readonly (readonly [value: number, variance: number])[]): Estimate {
  const count = values.length;
  const mean = values.reduce((sum, [value]) => sum + value, 0) / count;
  const own = values.reduce((sum, [, variance]) => sum + variance, 0) / count;
  const between = count > 1 ? values.reduce((sum, [value]) => sum + (value - mean) ** 2, 0) / (count - 1) : 0;
  return { mean, standardError: Math.sqrt(Math.max(0, (between + own) / count)) };
}

/**
 * The interval mean plus or minus 1.96 standard errors.
 *
 * @param estimate - The estimate.
 */
export function intervalOf(estimate: Estimate): [low: number, high: number] {
  const half = NORMAL_95 * estimate.standardError;
  return [estimate.mean - half, estimate.mean + half];
}
