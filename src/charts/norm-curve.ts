/**
 * From log norms over sequences to what a curve chart draws: middle line, band, exact zeros, gaps, fitted line.
 *
 * The middle is the geometric mean (the mean of the logs) over the sequences that have a finite log there; an exact zero is
 * never averaged in and never dropped: it becomes a mark of its own.
 * Natural logs go in, decades come out.
 */
import type { Direction } from '../core/jacobian';

/** A half-open stretch of positions. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** A curve ready to be drawn; all arrays have one entry per position, NaN where there is nothing. */
export interface NormCurve {
  /** Decades: log10 of the geometric mean. */
  readonly middle: Float64Array;
  /** Decades: smallest and largest over the sequences. */
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** Where at least one sequence is exactly zero. */
  readonly zeros: readonly Stretch[];
  /** Where at least one sequence is NaN or infinite. */
  readonly notFinite: readonly Stretch[];
  /** Natural log of the middle, as the tables and read-outs need it; NaN where not computed, -Infinity where all are zero. */
  readonly logMiddle: Float64Array;
}

/** Log norms of one state and direction. */
export interface LogNorms {
  /** Natural logs, `[B, T]`. */
  readonly total: Float64Array;
  readonly batch: number;
  readonly steps: number;
  /** `[T]`, 1 where the step has arrived. */
  readonly computed: Uint8Array;
}

/** A straight line in decades over positions. */
export interface FittedLine {
  readonly start: number;
  readonly end: number;
  readonly valueAtStart: number;
  readonly valueAtEnd: number;
}

/**
 * The curve of norms against the timestep.
 *
 * @param norms - Log norms.
 * @param sequence - One sequence, or null for the mean and band over all.
 */
export function curveOverSteps(norms: LogNorms, sequence: number | null): NormCurve {
  return growingCurveOverSteps(norms, sequence).update();
}

/**
 * The curve of norms against the lag from the last valid step (input step 0 for a backward recurrence).
 *
 * @param norms - Log norms.
 * @param direction - Which way the recurrence runs.
 * @param mask - `[B, T]`, 1 = valid; null = all valid.
 * @param sequence - One sequence, or null for the mean and band over all.
 */
export function curveOverLags(
  norms: LogNorms,
  direction: Direction,
  mask: Uint8Array | null,
  sequence: number | null,
): NormCurve {
  return growingCurveOverLags(norms, direction, mask, sequence).update();
}

/** As `curveOverSteps`, of norms that still arrive. */
export function growingCurveOverSteps(norms: LogNorms, sequence: number | null): GrowingCurve {
  return new GrowingCurve(norms, sequence, new Int32Array(norms.batch), 1);
}

/** As `curveOverLags`, of norms that still arrive. */
export function growingCurveOverLags(
  norms: LogNorms,
  direction: Direction,
  mask: Uint8Array | null,
  sequence: number | null,
): GrowingCurve {
  const ends = Int32Array.from({ length: norms.batch }, (_, b) => lastStepOf(b, norms.steps, direction, mask));
  return new GrowingCurve(norms, sequence, ends, direction === 'forward' ? -1 : 1);
}

/**
 * A curve of norms that arrive step by step; an update looks at the new steps only, so that following a long run does not
 * cost the whole run each time.
 */
export class GrowingCurve {
  private readonly from: number;
  private readonly to: number;
  private readonly seen: Uint8Array;
  private readonly sum: Float64Array;
  private readonly count: Uint32Array;
  private readonly zero: Uint8Array;
  private readonly broken: Uint8Array;
  private readonly middle: Float64Array;
  private readonly low: Float64Array;
  private readonly high: Float64Array;
  private readonly logMiddle: Float64Array;

  /**
   * @param norms - Log norms; read again at every update.
   * @param sequence - One sequence, or null for all.
   * @param ends - `[B]`, the step of position 0.
   * @param order - 1 where positions run with the steps, -1 against them.
   */
  constructor(
    private readonly norms: LogNorms,
    sequence: number | null,
    private readonly ends: Int32Array,
    private readonly order: 1 | -1,
  ) {
    const { steps, batch } = norms;
    const empty = (): Float64Array => new Float64Array(steps).fill(Number.NaN);
    this.from = sequence ?? 0;
    this.to = sequence === null ? batch : sequence + 1;
    this.seen = new Uint8Array(steps);
    this.sum = new Float64Array(steps);
    this.count = new Uint32Array(steps);
    this.zero = new Uint8Array(steps);
    this.broken = new Uint8Array(steps);
    this.middle = empty();
    this.low = empty();
    this.high = empty();
    this.logMiddle = empty();
  }

  /** The curve with all that has arrived; its arrays are this object's own and change at the next update. */
  update(): NormCurve {
    const { computed, steps } = this.norms;
    for (let step = 0; step < steps; step += 1) {
      if (!computed[step] || this.seen[step]) continue;
      this.seen[step] = 1;
      for (let b = this.from; b < this.to; b += 1) this.add(b, step);
    }
    const { middle, low, high, logMiddle } = this;
    return { middle, low, high, logMiddle, zeros: stretchesOf(this.zero), notFinite: stretchesOf(this.broken) };
  }

  private add(b: number, step: number): void {
    const { steps, total } = this.norms;
    const at = (step - this.ends[b]!) * this.order;
    if (at < 0 || at >= steps) return;
    const value = total[b * steps + step]!;
    if (value === -Infinity) {
      this.zero[at] = 1;
      if (this.count[at] === 0) this.logMiddle[at] = -Infinity;
    } else if (value - value !== 0) this.broken[at] = 1;
    else {
      const count = (this.count[at]! += 1);
      const decades = value / Math.LN10;
      this.logMiddle[at] = (this.sum[at]! += value) / count;
      this.middle[at] = this.logMiddle[at]! / Math.LN10;
      this.low[at] = count === 1 ? decades : Math.min(this.low[at]!, decades);
      this.high[at] = count === 1 ? decades : Math.max(this.high[at]!, decades);
    }
  }
}

/**
 * The step from which lags count: the last one that the recurrence takes.
 *
 * @param sequence - Index b.
 * @param steps - T.
 * @param direction - Which way the recurrence runs.
 * @param mask - `[B, T]`, 1 = valid; null = all valid.
 */
export function lastStepOf(sequence: number, steps: number, direction: Direction, mask: Uint8Array | null): number {
  const order = direction === 'forward' ? -1 : 1;
  let step = direction === 'forward' ? steps - 1 : 0;
  const first = step;
  while (mask && step >= 0 && step < steps && !mask[sequence * steps + step]) step += order;
  return step < 0 || step >= steps ? first : step;
}

/**
 * The stretches of ones in a row of flags.
 *
 * @param flags - 0 or 1.
 */
export function stretchesOf(flags: Uint8Array): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let start = -1;
  for (let position = 0; position <= flags.length; position += 1) {
    const on = position < flags.length && flags[position] === 1;
    if (on && start < 0) start = position;
    if (!on && start >= 0) {
      stretches.push({ start, end: position });
      start = -1;
    }
  }
  return stretches;
}

/**
 * The line of a fitted slope through the curve it was fitted to, null when fewer than two points are there.
 *
 * @param curve - The curve against the lag.
 * @param slope - Nats per step, as the verdict gives it.
 * @param warmUp - First lag of the fit.
 *
 * Numerics: a least-squares line passes through the mean point, so its offset follows from the slope and the curve.
 */
export function fittedLine(curve: NormCurve, slope: number | null, warmUp: number): FittedLine | null {
  if (slope === null || !Number.isFinite(slope)) return null;
  let sumLag = 0;
  let sumLog = 0;
  let count = 0;
  let last = warmUp;
  for (let lag = warmUp; lag < curve.logMiddle.length; lag += 1) {
    const value = curve.logMiddle[lag]!;
    if (!Number.isFinite(value)) continue;
    sumLag += lag;
    sumLog += value;
    count += 1;
    last = lag;
  }
  if (count < 2) return null;
  const offset = sumLog / count - (slope * sumLag) / count;
  const decadesAt = (lag: number): number => (offset + slope * lag) / Math.LN10;
  return { start: 0, end: last, valueAtStart: decadesAt(0), valueAtEnd: decadesAt(last) };
}

/**
 * Positions to draw of a long curve, so that every bucket keeps its lowest and its highest point.
 *
 * @param values - The curve; NaN is a gap and is kept as one.
 * @param maxPoints - About so many positions come back; all when there are fewer.
 */
export function thinnedPositions(values: Float64Array, maxPoints: number): Uint32Array {
  if (values.length <= maxPoints) return Uint32Array.from(values, (_, position) => position);
  const buckets = Math.max(1, Math.floor(maxPoints / 4));
  const kept: number[] = [];
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const start = Math.floor((bucket * values.length) / buckets);
    const end = Math.floor(((bucket + 1) * values.length) / buckets);
    const chosen = new Set([start, end - 1]);
    let lowest = -1;
    let highest = -1;
    for (let position = start; position < end; position += 1) {
      const value = values[position]!;
      if (Number.isNaN(value)) continue;
      if (lowest < 0 || value < values[lowest]!) lowest = position;
      if (highest < 0 || value > values[highest]!) highest = position;
    }
    if (lowest >= 0) chosen.add(lowest).add(highest);
    kept.push(...[...chosen].sort((a, b) => a - b));
  }
  return Uint32Array.from(kept);
}
