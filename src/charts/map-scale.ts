/** How the values of a map become a scale of colours, and what its ticks are called. */
import type { MapRange, MapScale } from './map-data';
import { formatDecade, formatFromLog } from './number-format';

/**
 * The scale of log norms: the finite range, or one decade around a single value.
 *
 * @param range - Range in natural logs.
 */
export function logScale(range: MapRange): MapScale {
  const low = range.low ?? -Math.LN10;
  const high = range.high ?? 0;
  const widened = high > low ? { low, high } : { low: low - Math.LN10 / 2, high: high + Math.LN10 / 2 };
  return { kind: 'sequential', ...widened, logarithmic: true };
}

/** A colour scale in decades has at most so many intervals. */
const MOST_INTERVALS = 6;

/** Distances of ticks, decades. */
const DECADE_STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500];

/** A scale of round decades with the distance of its ticks. */
interface DecadeScale {
  readonly scale: MapScale;
  /** In nats. */
  readonly interval: number;
}

/**
 * The scale of log norms, widened to its nearest ticks.
 *
 * @param range - Range in natural logs.
 */
export function decadeScale(range: MapRange): DecadeScale {
  const high = (range.high ?? 0) / Math.LN10;
  const low = (range.low ?? -Math.LN10) / Math.LN10;
  const ends = (step: number): readonly [number, number] => {
    const top = Math.ceil(high / step - 1e-9);
    return [Math.min(top - 1, Math.floor(low / step + 1e-9)), top];
  };
  const fits = (step: number): boolean => ends(step)[1] - ends(step)[0] <= MOST_INTERVALS;
  const step = DECADE_STEPS.find(fits) ?? DECADE_STEPS.at(-1)!;
  const [bottom, top] = ends(step);
  const unit = step * Math.LN10;
  return { scale: { kind: 'sequential', low: bottom * unit, high: top * unit, logarithmic: true }, interval: unit };
}

/**
 * Text of a tick of a scale in decades: `10⁻³`, and the number itself between two powers.
 *
 * @param logarithm - Natural log.
 */
export function decadeLabel(logarithm: number): string {
  const decades = logarithm / Math.LN10;
  const whole = Math.round(decades);
  return Math.abs(decades - whole) < 1e-6 ? formatDecade(whole) : formatFromLog(logarithm, 2);
}

/**
 * A scale symmetric about zero for signed values.
 *
 * @param range - Range of the values.
 * @param least - The half range is at least this.
 */
export function signedScale(range: MapRange, least = 0): MapScale {
  const size = Math.max(Math.abs(range.low ?? 0), Math.abs(range.high ?? 0), least) || 1;
  return { kind: 'diverging', low: -size, high: size, logarithmic: false };
}

/** The scale of gates that lie between 0 and 1. */
export const GATE_SCALE: MapScale = { kind: 'sequential', low: 0, high: 1, logarithmic: false };

/**
 * Text of a tick of a log scale: the quantity itself.
 *
 * @param logarithm - Natural log.
 */
export function logScaleLabel(logarithm: number): string {
  return formatFromLog(logarithm, 2);
}
