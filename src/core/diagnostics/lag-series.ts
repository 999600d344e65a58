/** Norms over time turned into norms over lags, which is what every diagnostic of reach reads. */
import type { Direction } from '../jacobian';

/**
 * l_k, the log norm at lag k, from log norms at the input's own time index.
 *
 * Lag 0 is the last valid step in the order of computing, so step 0 for a backward recurrence. Masked steps do not
 * happen for the recurrence (A = I, B = 0) and are left out: a lag counts valid steps, and padding is no exact zero.
 *
 * @param logNorms - ln ||ds_T/dx_s||, `[T]` by s.
 * @param direction - Direction of the recurrence.
 * @param mask - `[T]`, 1 = valid; null when all are.
 * @returns `[number of valid steps]` by lag.
 */
export function lagSeries(
  logNorms: ArrayLike<number>,
  direction: Direction,
  mask: ArrayLike<number> | null = null,
): Float64Array {
  const steps = logNorms.length;
  const series: number[] = [];
  for (let k = 0; k < steps; k++) {
    const s = direction === 'forward' ? steps - 1 - k : k;
    if (mask === null || mask[s] !== 0) series.push(logNorms[s]);
  }
  return Float64Array.from(series);
}
