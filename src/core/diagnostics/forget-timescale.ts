/** D17: the time over which each unit's own gate forgets. */
import { activate, type ActivationDescription } from '../activations';

/** Timescales in steps; Infinity for a gate that is always 1, 0 for one that is ever 0. */
export interface ForgetTimescale {
  /** `[H]` */
  readonly perUnit: Float64Array;
  readonly median: number;
  readonly max: number;
}

/** Sums the logs of a gate, some rows at a time. */
export class TimescaleSum {
  private readonly sums: Float64Array;
  private valid = 0;

  /**
   * @param units - H.
   */
  constructor(private readonly units: number) {
    this.sums = new Float64Array(units);
  }

  /**
   * Adds some rows.
   *
   * @param gate - `[n, H]`
   * @param mask - `[n]`, 1 = valid; null when all are.
   */
  add(gate: Float32Array | Float64Array, mask: ArrayLike<number> | null): void {
    const { units, sums } = this;
    const rows = gate.length / units;
    for (let row = 0; row < rows; row++) {
      if (mask !== null && mask[row] === 0) continue;
      this.valid++;
      for (let u = 0; u < units; u++) sums[u] += Math.log(gate[row * units + u]);
    }
  }

  /** The timescales over all rows so far. */
  result(): ForgetTimescale {
    return summarise(this.sums.map((sum) => timescale(sum / this.valid)));
  }
}

/**
 * tau_i = -1 / mean_t ln f_i(t) per unit, from the forget gate (of a GRU: the update gate z) over valid steps.
 *
 * The mean of the logs is the decay of the product of the gates, which is what the state meets.
 * Source: D17 of method.md; Mahto et al. 2009.12727, Can et al. 2002.00025.
 *
 * @param gate - f `[n, H]`, all sequences and steps one after the other.
 * @param units - H.
 * @param mask - `[n]`, 1 = valid; null when all are.
 */
export function forgetTimescale(
  gate: Float32Array | Float64Array,
  units: number,
  mask: ArrayLike<number> | null = null,
): ForgetTimescale {
  const sum = new TimescaleSum(units);
  sum.add(gate, mask);
  return sum.result();
}

/**
 * tau_i = -1 / ln sigma(b_i) per unit, from the forget bias alone.
 *
 * @param bias - b_f, `[H]`.
 * @param recurrentActivation - sigma.
 */
export function biasTimescale(bias: Float64Array, recurrentActivation: ActivationDescription): ForgetTimescale {
  return summarise(activate(recurrentActivation, bias).map((f) => timescale(Math.log(f))));
}

/** -1/x, with 0 for -Infinity and Infinity for 0; a gate above 1 (no sigmoid) has a negative timescale. */
function timescale(meanLog: number): number {
  return meanLog === 0 ? Infinity : meanLog === -Infinity ? 0 : -1 / meanLog;
}

function summarise(perUnit: Float64Array): ForgetTimescale {
  const sorted = Float64Array.from(perUnit).sort();
  const middle = sorted.length / 2;
  const median = sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : 0.5 * (sorted[middle - 1] + sorted[middle]);
  return { perUnit, median, max: sorted[sorted.length - 1] };
}
