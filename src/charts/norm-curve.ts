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

/** Running sums over the sequences of one position. */
class PositionSums {
  sum = 0;
  count = 0;
  zeros = 0;
  notFinite = 0;
  low = Infinity;
  high = -Infinity;

  add(value: number): void {
    if (value === -Infinity) this.zeros += 1;
    else if (value - value !== 0) this.notFinite += 1;
    else {
      this.sum += value;
      this.count += 1;
      if (value < this.low) this.low = value;
      if (value > this.high) this.high = value;
    }
  }
}

/**
 * The curve of norms against the timestep.
 *
 * @param norms - Log norms.
 * @param sequence - One sequence, or null for the mean and band over all.
 */
export function curveOverSteps(norms: LogNorms, sequence: number | null): NormCurve {
  return curveOf(norms.steps, sequence, norms, (_, position) => position);
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
  const ends = Int32Array.from({ length: norms.batch }, (_, b) => lastStepOf(b, norms.steps, direction, mask));
  return curveOf(norms.steps, sequence, norms, (b, lag) => (direction === 'forward' ? ends[b]! - lag : ends[b]! + lag));
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

function curveOf(
  length: number,
  sequence: number | null,
  norms: LogNorms,
  stepAt: (sequence: number, position: number) => number,
): NormCurve {
  const middle = new Float64Array(length).fill(Number.NaN);
  const low = new Float64Array(length).fill(Number.NaN);
  const high = new Float64Array(length).fill(Number.NaN);
  const logMiddle = new Float64Array(length).fill(Number.NaN);
  const zero = new Uint8Array(length);
  const notFinite = new Uint8Array(length);
  const from = sequence ?? 0;
  const to = sequence === null ? norms.batch : sequence + 1;
  for (let position = 0; position < length; position += 1) {
    const sums = new PositionSums();
    for (let b = from; b < to; b += 1) {
      const step = stepAt(b, position);
      if (step < 0 || step >= norms.steps || !norms.computed[step]) continue;
      sums.add(norms.total[b * norms.steps + step]!);
    }
    if (sums.zeros > 0) zero[position] = 1;
    if (sums.notFinite > 0) notFinite[position] = 1;
    if (sums.count > 0) {
      logMiddle[position] = sums.sum / sums.count;
      middle[position] = logMiddle[position]! / Math.LN10;
      low[position] = sums.low / Math.LN10;
      high[position] = sums.high / Math.LN10;
    } else if (sums.zeros > 0) logMiddle[position] = -Infinity;
  }
  return { middle, low, high, logMiddle, zeros: stretchesOf(zero), notFinite: stretchesOf(notFinite) };
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
