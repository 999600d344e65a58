/** D15: decay rate and memory horizon of a log norm series. */

/** The share of lag 0 below which a gradient counts as gone; method.md 3.1. */
export const HORIZON_THRESHOLD = 1e-3;

/** Decay of a norm, ln||J(T,T-k)|| = a - k/tau. */
export interface Decay {
  /** Nats per step. */
  readonly slope: number;
  /** tau = -1/slope, steps; negative where the norm grows. */
  readonly timeConstant: number;
  /** tau ln 2, steps; the doubling time where the norm grows. */
  readonly halfLife: number;
}

/**
 * Time constant tau = -1/slope and half-life ln 2/|slope| of a slope.
 *
 * Source: D15 of method.md; maximum timescale of Chen et al. 1806.05394.
 *
 * @param slope - Nats per step, not 0.
 */
export function decayOf(slope: number): Decay {
  return { slope, timeConstant: -1 / slope, halfLife: Math.LN2 / Math.abs(slope) };
}

/**
 * The first lag from which the norm stays below 1e-3 of lag 0, null when it does not within the series.
 *
 * @param series - l_k, natural logs by lag; -Infinity is below every threshold.
 * @param threshold - Share of lag 0.
 */
export function horizonOf(series: ArrayLike<number>, threshold: number = HORIZON_THRESHOLD): number | null {
  const limit = series[0] + Math.log(threshold);
  let horizon: number | null = null;
  for (let k = series.length - 1; k >= 1 && series[k] < limit; k--) horizon = k;
  return horizon;
}
