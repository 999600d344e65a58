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

/** Counts shut and open gates, some rows at a time. */
export class SaturationCount {
  private readonly left: Float64Array;
  private readonly right: Float64Array;
  private valid = 0;

  /**
   * @param units - H.
   */
  constructor(private readonly units: number) {
    this.left = new Float64Array(units);
    this.right = new Float64Array(units);
  }

  /**
   * Counts some rows.
   *
   * @param gate - `[n, H]`
   * @param mask - `[n]`, 1 = valid; null when all are.
   */
  add(gate: Float32Array | Float64Array, mask: ArrayLike<number> | null): void {
    const { units, left, right } = this;
    const rows = gate.length / units;
    for (let row = 0; row < rows; row++) {
      if (mask !== null && mask[row] === 0) continue;
      this.valid++;
      for (let u = 0; u < units; u++) {
        const value = gate[row * units + u];
        if (value < LEFT_SATURATION) left[u]++;
        else if (value > RIGHT_SATURATION) right[u]++;
      }
    }
  }

  /** The shares of all rows so far. */
  result(): Saturation {
    const share = (counts: Float64Array): Float64Array => counts.map((count) => count / this.valid);
    const mean = (shares: Float64Array): number => shares.reduce((sum, one) => sum + one, 0) / this.units;
    const [leftPerUnit, rightPerUnit] = [share(this.left), share(this.right)];
    return { left: mean(leftPerUnit), right: mean(rightPerUnit), leftPerUnit, rightPerUnit };
  }
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
  const count = new SaturationCount(units);
  count.add(gate, mask);
  return count.result();
}
