/**
 * The sums behind a Lyapunov spectrum: what one sequence has grown along each orthonormalised tangent so far.
 */

/** The curve of running estimates has at most about so many points. */
const MAX_CURVE_POINTS = 200;

/** Its points lie at multiples of so many steps, and at the end; a QR belongs at each of them. */
export const CURVE_GRID = 8;

/**
 * The steps after which the curve of a run has a point.
 *
 * @param steps - T
 */
export function curvePoints(steps: number): readonly number[] {
  const spacing = CURVE_GRID * Math.ceil(steps / (CURVE_GRID * MAX_CURVE_POINTS));
  return Array.from({ length: Math.ceil(steps / spacing) }, (_, i) => Math.min(steps, (i + 1) * spacing));
}

/** How the estimates came to rest. */
export interface ConvergenceCurve {
  /** `[C]`: steps done, masked ones included, in the order of computing. */
  readonly steps: Int32Array;
  /** `[C, p]`: what the exponents would be had the run ended there; NaN before a step was counted. */
  readonly values: Float64Array;
}

/** The spectrum of one sequence. */
export interface SequenceSpectrum {
  /** `[p]`, nats per step, descending; -Infinity where a direction dies, NaN when no step was counted. */
  readonly exponents: Float64Array;
  /** `[p]`: 0 where rounding hides the exponent. */
  readonly isResolved: Uint8Array;
  readonly curve: ConvergenceCurve;
  /** `[S]`, natural logs of the singular values of ds_T/ds_0, descending; null when not computed. */
  readonly logSingularValues: Float64Array | null;
}

/** Adds up the diagonals of the triangles of one sequence. */
export class SpectrumSum {
  /** Valid steps so far. */
  valid = 0;
  private readonly sums: Float64Array;
  private readonly isResolved: Uint8Array;
  private readonly points: readonly number[];
  private readonly curve: number[] = [];
  private readonly curveSteps: number[] = [];

  /**
   * @param count - Tangents.
   * @param steps - T
   * @param warmUp - The first so many valid steps are not counted.
   */
  constructor(
    private readonly count: number,
    steps: number,
    private readonly warmUp: number,
  ) {
    this.sums = new Float64Array(count);
    this.isResolved = new Uint8Array(count).fill(1);
    this.points = curvePoints(steps);
  }

  /**
   * What some valid steps brought, all of them in the warm-up or none.
   *
   * @param logs - `[count]`: ln R_ii; -Infinity for a direction that died.
   * @param steps - How many steps.
   * @param unresolvedBelow - ln of the contraction, beside the largest of these tangents, that is rounding.
   */
  add(logs: Float64Array, steps: number, unresolvedBelow: number): void {
    this.valid += steps;
    if (this.valid <= this.warmUp) return;
    let largest = -Infinity;
    for (let i = 0; i < this.count; i++) if (logs[i]! > largest) largest = logs[i]!;
    for (let i = 0; i < this.count; i++) {
      this.sums[i]! += logs[i]!;
      if (logs[i]! - largest < unresolvedBelow) this.isResolved[i] = 0;
    }
  }

  /**
   * Called after step n (in the order of computing), masked or not: the curve takes a point at every multiple of its
   * spacing.
   *
   * @param n - From 0.
   */
  endStep(n: number): void {
    if (n + 1 !== this.points[this.curveSteps.length]) return;
    this.curveSteps.push(n + 1);
    const counted = this.valid - this.warmUp;
    for (let i = 0; i < this.count; i++) this.curve.push(counted > 0 ? this.sums[i]! / counted : NaN);
  }

  /**
   * The spectrum, exponents sorted.
   *
   * @param count - p, how many of the largest are given.
   * @param logSingularValues - As they were computed elsewhere.
   */
  result(count: number, logSingularValues: Float64Array | null): SequenceSpectrum {
    const counted = this.valid - this.warmUp;
    const exponents = this.sums.map((value) => (counted > 0 ? value / counted : NaN));
    const order = Array.from(exponents.keys()).sort((a, b) => descending(exponents[a]!, exponents[b]!));
    const kept = order.slice(0, count);
    const length = this.curveSteps.length;
    const values = new Float64Array(length * kept.length);
    for (let at = 0; at < length; at++) {
      kept.forEach((place, i) => {
        values[at * kept.length + i] = this.curve[at * this.count + place]!;
      });
    }
    return {
      exponents: Float64Array.from(kept, (place) => exponents[place]!),
      isResolved: Uint8Array.from(kept, (place) => this.isResolved[place]!),
      curve: { steps: Int32Array.from(this.curveSteps), values },
      logSingularValues,
    };
  }
}

function descending(a: number, b: number): number {
  return a === b || Number.isNaN(a) || Number.isNaN(b) ? 0 : b - a;
}
