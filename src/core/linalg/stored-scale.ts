/** The integer scale with which a block of Jacobian entries is stored in float32. */

/** Blocks whose norm has its binary exponent between these are stored as they are: float32 holds them with all digits. */
const MIN_STORED_EXPONENT = -116;
const MAX_STORED_EXPONENT = 126;

/**
 * The scale of a stored block: the true block is the stored one times 2^scale.
 *
 * 0 where float32 holds the block as it is, where it is exactly zero, and where its norm is not finite; else the
 * binary exponent of the norm, so that the stored block has a norm near 1.
 *
 * @param logNorm - Natural log of the Frobenius norm of the true block.
 */
export function storedScale(logNorm: number): number {
  if (!Number.isFinite(logNorm)) return 0;
  const exponent = logNorm / Math.LN2;
  if (exponent >= MIN_STORED_EXPONENT && exponent < MAX_STORED_EXPONENT) return 0;
  return Math.round(exponent);
}
