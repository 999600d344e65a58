/** Where the fitted line of a curve over lags begins. */

/**
 * The first lag of the fit, as the verdict takes it; of several sequences the longest.
 *
 * Source: method.md 3.1.
 *
 * @param warmUp - What the user asked for; null = the first tenth of the valid steps.
 * @param mask - `[B, T]`, 1 = valid; null when all are.
 * @param sizes - B and T.
 */
export function fitStart(
  warmUp: number | null,
  mask: Uint8Array | null,
  { batch, steps }: { readonly batch: number; readonly steps: number },
): number {
  if (warmUp !== null) return warmUp;
  if (mask === null) return Math.ceil(steps / 10);
  let longest = 0;
  for (let b = 0; b < batch; b++) {
    const valid = mask.subarray(b * steps, (b + 1) * steps).filter((flag) => flag !== 0).length;
    longest = Math.max(longest, valid);
  }
  return Math.ceil(longest / 10);
}
