/** D26: long memory makes parameters sensitive even where gradients neither vanish nor explode. */

/**
 * Var(dh/dw) = (1 + w^2)/(1 - w^2)^3 of h = w h + x with white input of variance 1.
 *
 * Source: D26 of method.md; Zucchet and Orvieto 2405.21064.
 *
 * @param multiplier - w; only its size counts.
 * @returns Infinity from a size of 1 on.
 */
export function parameterSensitivity(multiplier: number): number {
  const square = multiplier * multiplier;
  const rest = 1 - square;
  // Products and not a power, whose last bit differs between versions of V8: the window and the command agree bit for bit.
  return square < 1 ? (1 + square) / (rest * rest * rest) : Infinity;
}
