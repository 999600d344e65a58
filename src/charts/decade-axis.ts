/**
 * The vertical axis of log norms: decades, with rails below them for values that have no logarithm.
 *
 * Long ranges are labelled at round numbers of decades, short ones at half decades in plain numbers.
 */
import type { ChartOption } from './axis-style';
import type { NormCurve } from './norm-curve';
import { formatDecade, formatNumber } from './number-format';
import type { Palette } from './palette';

const MAX_LABELLED_DECADES = 9;
/** Below so many decades the axis is labelled at half decades too. */
const SHORT_DECADES = 2;
/** Within so many decades of 1 a half decade is written as a plain number. */
const PLAIN_DECADES = 3;

/** A rail under the plot for values that have no place on the axis. */
export interface Rail {
  readonly decade: number;
  readonly label: string;
}

/** Ends and ticks of the axis. */
export interface DecadeExtent {
  readonly low: number;
  readonly high: number;
  readonly interval: number;
  readonly zeroRail: Rail | null;
  readonly nanRail: Rail | null;
}

/** A curve as far as the axis is concerned. */
interface MeasuredCurve {
  readonly curve: NormCurve;
  readonly showBand: boolean;
}

/**
 * Decades around all curves, whole multiples of the interval, and the rails below them.
 *
 * @param curves - The curves; without a finite value the axis runs from -3 to 1.
 */
export function decadeExtentOf(curves: readonly MeasuredCurve[]): DecadeExtent {
  let low = Infinity;
  let high = -Infinity;
  for (const { curve, showBand } of curves) {
    const lows = showBand ? curve.low : curve.middle;
    const highs = showBand ? curve.high : curve.middle;
    for (let position = 0; position < lows.length; position += 1) {
      if (lows[position]! < low) low = lows[position]!;
      if (highs[position]! > high) high = highs[position]!;
    }
  }
  if (low > high) [low, high] = [-3, 1];
  const isShort = high - low < SHORT_DECADES;
  const interval = isShort ? 0.5 : niceStep((Math.ceil(high) - Math.floor(low)) / MAX_LABELLED_DECADES);
  let bottom = Math.floor(low / interval) * interval;
  let top = Math.ceil(high / interval) * interval;
  if (top - bottom < 2 * interval) {
    bottom -= interval;
    top += interval;
  }
  const zeroRail = curves.some(({ curve }) => curve.zeros.length > 0)
    ? { decade: bottom - interval, label: '0' }
    : null;
  const nanRail = curves.some(({ curve }) => curve.notFinite.length > 0)
    ? { decade: (zeroRail?.decade ?? bottom) - interval, label: 'NaN' }
    : null;
  return { low: bottom, high: top, interval, zeroRail, nanRail };
}

/** 1, 2, 5, 10, 20 ... at or above a number. */
function niceStep(step: number): number {
  const decade = 10 ** Math.floor(Math.log10(Math.max(step, 1)));
  return ([1, 2, 5, 10].find((factor) => factor * decade >= step) ?? 10) * decade;
}

/**
 * The axis of an extent.
 *
 * @param extent - Ends, ticks and rails.
 * @param palette - The colours.
 */
export function decadeAxis(extent: DecadeExtent, palette: Palette): ChartOption {
  const { low, high, interval, zeroRail, nanRail } = extent;
  const labels = new Map([zeroRail, nanRail].flatMap((rail) => (rail ? [[rail.decade, rail.label]] : [])));
  return {
    type: 'value',
    min: nanRail?.decade ?? zeroRail?.decade ?? low,
    max: high,
    interval,
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: palette.grid, width: 1 } },
    axisLabel: {
      color: palette.textMuted,
      fontSize: 11,
      formatter: (value: number) => {
        const rail = labels.get(value);
        if (rail !== undefined) return rail;
        if (value < low) return '';
        if (interval < 1 && Math.abs(value) <= PLAIN_DECADES) return formatNumber(10 ** value, 2);
        return Number.isInteger(value) ? formatDecade(value) : '';
      },
    },
  };
}
