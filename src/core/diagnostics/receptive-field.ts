/** D16: how the gradient is spread over lags. */

/** Mean, spread and 95 % point of the distribution of gradient norm over lags, in steps. */
export interface ReceptiveField {
  readonly mean: number;
  /** Standard deviation. */
  readonly spread: number;
  /** Smallest lag up to which at least 95 % of the sum lies. */
  readonly lag95: number;
}

/**
 * Mean lag sum_k k p_k, its standard deviation and the 95 % lag, p_k = ||J(T,T-k)|| / sum.
 *
 * Numerics: weights relative to the largest norm, so that nothing under- or overflows.
 * Source: D16 of method.md; Luo et al. 1701.04128 for images, the norm map of Madsen (Distill 2019).
 *
 * @param series - l_k, natural logs by lag.
 * @returns null when no norm is above zero or one is NaN.
 */
export function receptiveField(series: ArrayLike<number>): ReceptiveField | null {
  let largest = -Infinity;
  for (let k = 0; k < series.length; k++) {
    if (Number.isNaN(series[k])) return null;
    largest = Math.max(largest, series[k]);
  }
  if (!Number.isFinite(largest)) return null;
  const weights = Float64Array.from({ length: series.length }, (_, k) => Math.exp(series[k] - largest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const mean = weights.reduce((total, weight, k) => total + k * weight, 0) / sum;
  const variance = weights.reduce((total, weight, k) => total + (k - mean) ** 2 * weight, 0) / sum;
  let lag95 = 0;
  for (let seen = weights[0]; seen < 0.95 * sum && lag95 + 1 < weights.length; seen += weights[lag95]) lag95++;
  return { mean, spread: Math.sqrt(variance), lag95 };
}

/**
 * The average receptive field of several sequences.
 *
 * @param sequences - l_k by lag, one per sequence; those without a receptive field are left out.
 * @returns null when none has one. `lag95` is the median.
 */
export function meanReceptiveField(sequences: readonly ArrayLike<number>[]): ReceptiveField | null {
  const fields = sequences.map(receptiveField).filter((field) => field !== null);
  if (fields.length === 0) return null;
  const average = (pick: (field: ReceptiveField) => number): number =>
    fields.reduce((sum, field) => sum + pick(field), 0) / fields.length;
  const sorted = fields.map((field) => field.lag95).sort((a, b) => a - b);
  return {
    mean: average((field) => field.mean),
    spread: average((field) => field.spread),
    lag95: sorted[Math.floor((sorted.length - 1) / 2)],
  };
}
