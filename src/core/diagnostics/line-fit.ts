/** A straight line through a log norm series, with standard errors that know its residuals are correlated. */

/** Log norms are not trusted below this many nats: rounding of an engine must not pass for certainty. */
const RESOLUTION_NATS = 1e-6;

/** l = intercept + slope k, with the covariance of the two. */
export interface LineFit {
  /** Number of points used. */
  readonly count: number;
  readonly intercept: number;
  /** Per lag. */
  readonly slope: number;
  readonly interceptVariance: number;
  readonly slopeVariance: number;
  readonly covariance: number;
}

/**
 * The least-squares line through the finite values of a series from lag `from` on, with Newey-West errors.
 *
 * Cov = (X'X)^-1 S (X'X)^-1, S = sum_j w_j sum_t (x_t e_t)(x_{t-j} e_{t-j})', Bartlett weights w_j = 1 - j/(L+1) and
 * L = floor(4 (n/100)^(2/9)). Numerics: lags are centred; the variances are at least those of residuals of 1e-6 nats.
 * Source: method.md 3.1; Newey and West 1987, lag rule of Newey and West 1994.
 *
 * @param series - Values by lag; those that are not finite are left out.
 * @param from - First lag used.
 * @returns null with fewer than 2 finite values.
 */
export function fitLine(series: ArrayLike<number>, from: number): LineFit | null {
  const lags: number[] = [];
  for (let k = from; k < series.length; k++) if (Number.isFinite(series[k])) lags.push(k);
  const count = lags.length;
  if (count < 2) return null;
  const meanLag = lags.reduce((sum, k) => sum + k, 0) / count;
  const meanValue = lags.reduce((sum, k) => sum + series[k], 0) / count;
  let spread = 0;
  let product = 0;
  for (const k of lags) {
    spread += (k - meanLag) ** 2;
    product += (k - meanLag) * (series[k] - meanValue);
  }
  const slope = product / spread;
  const residuals = lags.map((k) => series[k] - meanValue - slope * (k - meanLag));
  const centred = lags.map((k) => k - meanLag);
  const { level, cross, trend } = longRunCovariance(residuals, centred);
  const floor = RESOLUTION_NATS ** 2;
  const levelVariance = Math.max(level / count ** 2, floor / count);
  const slopeVariance = Math.max(trend / spread ** 2, floor / spread);
  const levelSlope = cross / (count * spread);
  return {
    count,
    intercept: meanValue - slope * meanLag,
    slope,
    interceptVariance: levelVariance - 2 * meanLag * levelSlope + meanLag ** 2 * slopeVariance,
    slopeVariance,
    covariance: levelSlope - meanLag * slopeVariance,
  };
}

/** The three entries of S for the regressors 1 and the centred lag. */
function longRunCovariance(
  residuals: readonly number[],
  centred: readonly number[],
): { readonly level: number; readonly cross: number; readonly trend: number } {
  const count = residuals.length;
  const bandwidth = Math.min(Math.floor(4 * (count / 100) ** (2 / 9)), count - 1);
  let level = 0;
  let cross = 0;
  let trend = 0;
  for (let j = 0; j <= bandwidth; j++) {
    const weight = (1 - j / (bandwidth + 1)) * (j === 0 ? 1 : 2);
    for (let t = j; t < count; t++) {
      const product = weight * residuals[t] * residuals[t - j];
      level += product;
      cross += 0.5 * product * (centred[t] + centred[t - j]);
      trend += product * centred[t] * centred[t - j];
    }
  }
  return { level, cross, trend };
}
