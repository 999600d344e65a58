/** D19: how often a gate is shut or open. */

/** A gate below this is shut, left-saturated. */
export const LEFT_SATURATION = 0.1;

/** A gate above this is open, right-saturated. */
export const RIGHT_SATURATION = 0.9;

/** Shares between 0 and 1. */
export interface Saturation {
  readonly left: number;
  readonly right: number;
  /** `[H]` */
  readonly leftPerUnit: Float64Array;
  readonly rightPerUnit: Float64Array;
}

/**
 * The share of (step, sequence) with the gate below 0.1 (left) and above 0.9 (right), in all and per unit.
 *
 * A NaN is in neither. Source: D19 of method.md; Karpathy et al. 1506.02078.
 *
 * @param gate - `[n, H]`, all sequences and steps one after the other.
 * @param units - H.
 * @param mask - `[n]`, 1 = valid; null when all are.
 */
export function gateSaturation(
  gate: Float32Array | Float64Array,
  units: number,
  mask: ArrayLike<number> | null = null,
): Saturation {
  const rows = gate.length / units;
  const leftPerUnit = new Float64Array(units);
  const rightPerUnit = new Float64Array(units);
  let valid = 0;
  for (let row = 0; row < rows; row++) {
    if (mask !== null && mask[row] === 0) continue;
    valid++;
    for (let u = 0; u < units; u++) {
      const value = gate[row * units + u];
      if (value < LEFT_SATURATION) leftPerUnit[u]++;
      else if (value > RIGHT_SATURATION) rightPerUnit[u]++;
    }
  }
  for (let u = 0; u < units; u++) {
    leftPerUnit[u] /= valid;
    rightPerUnit[u] /= valid;
  }
  const mean = (shares: Float64Array): number => shares.reduce((sum, share) => sum + share, 0) / units;
  return { left: mean(leftPerUnit), right: mean(rightPerUnit), leftPerUnit, rightPerUnit };
}
