/**
 * Curves of log norms (against lag or timestep) -> ECharts option: line, band, fitted line, horizon, rails for zero and NaN.
 *
 * Values are decades on a linear axis, labelled as powers of ten. An exact zero has no place on it: it is drawn as a bar on
 * a rail of its own under the plot, labelled "0", so that it cannot be taken for something missing.
 */
import {
  AXIS_HEIGHT,
  baseOption,
  innerZoom,
  pointerLine,
  positionAxis,
  TITLE_HEIGHT,
  type ChartOption,
  type PictureTitle,
} from './axis-style';
import { decadeAxis, decadeExtentOf, type DecadeExtent, type Rail } from './decade-axis';
import { thinnedPositions, type FittedLine, type NormCurve, type Stretch } from './norm-curve';
import { formatCount, formatFromLog } from './number-format';
import { withAlpha, type Palette } from './palette';

/** One curve with its marks. */
export interface NormChartCurve {
  /** Short text at the right end: `h`. */
  readonly label: string;
  readonly colour: string;
  readonly curve: NormCurve;
  readonly showBand: boolean;
  readonly fit: FittedLine | null;
  /** Position of a vertical mark, with its text. */
  readonly mark: { readonly position: number; readonly text: string } | null;
}

/** What a chart of curves shows. */
export interface NormChartInput {
  readonly curves: readonly NormChartCurve[];
  /** Number of positions along x. */
  readonly length: number;
  readonly xName: string;
  /** What the read-out calls a position: `lag`, `t`. */
  readonly positionName: string;
  /** A chosen position, drawn as a thin line; null = none. */
  readonly selected: number | null;
}

/** Points of a line above which it is thinned for drawing. */
const MAX_DRAWN_POINTS = 2400;
/** Height of the line in which one mark is labelled, above the plot. */
const MARK_ROW = 15;
/** Width of the label column on the left, pixels. */
const LEFT = 48;

/**
 * The option of a chart of log norms.
 *
 * @param input - Curves and marks.
 * @param palette - The colours.
 * @param title - For export; null on screen.
 */
export function normChartOption(
  input: NormChartInput,
  palette: Palette,
  title: PictureTitle | null = null,
): ChartOption {
  const extent = decadeExtentOf(input.curves);
  const marked = input.curves.filter(({ mark }) => mark !== null);
  const top = 14 + (title ? TITLE_HEIGHT : 0) + MARK_ROW * marked.length;
  return {
    ...baseOption(palette, title),
    grid: { left: LEFT, right: 36, top, bottom: AXIS_HEIGHT },
    xAxis: positionAxis(palette, input.xName, input.length - 1),
    yAxis: decadeAxis(extent, palette),
    tooltip: pointerLine(palette),
    dataZoom: [innerZoom([0])],
    series: [
      ...input.curves.flatMap((curve) => [
        ...seriesOf(curve, extent, palette),
        ...(curve.mark ? [markSeries(curve, curve.mark, marked.length - 1 - marked.indexOf(curve), input.length)] : []),
      ]),
      ...(input.selected === null ? [] : [selectionSeries(input.selected, palette)]),
    ],
  };
}

function seriesOf(item: NormChartCurve, extent: DecadeExtent, palette: Palette): ChartOption[] {
  const { curve, colour, label } = item;
  const positions = thinnedPositions(curve.middle, MAX_DRAWN_POINTS);
  const points = Array.from(positions, (position) => [position, curve.middle[position]!]);
  const series: ChartOption[] = [];
  if (item.showBand) series.push(bandSeries(item));
  series.push({
    type: 'line',
    id: `line-${label}`,
    name: label,
    data: points,
    symbol: 'circle',
    symbolSize: 5,
    showSymbol: points.filter((point) => !Number.isNaN(point[1]!)).length === 1,
    connectNulls: false,
    lineStyle: { color: colour, width: 1.75 },
    itemStyle: { color: colour },
    emphasis: { disabled: true },
    z: 3,
    labelLayout: { moveOverlap: 'shiftY' },
    endLabel: {
      show: true,
      formatter: label,
      color: colour,
      fontSize: 12,
      lineHeight: 16,
      fontWeight: 600,
      distance: 8,
    },
  });
  if (item.fit) series.push(fitSeries(item, item.fit));
  if (extent.zeroRail) series.push(railSeries(`zero-${label}`, curve.zeros, extent.zeroRail, colour));
  if (extent.nanRail) series.push(railSeries(`nan-${label}`, curve.notFinite, extent.nanRail, palette.notFinite));
  return series;
}

/** The band as one polygon per unbroken stretch. */
function bandSeries({ curve, colour, label }: NormChartCurve): ChartOption {
  const positions = thinnedPositions(curve.high, MAX_DRAWN_POINTS / 2);
  return {
    type: 'custom',
    id: `band-${label}`,
    name: `band ${label}`,
    silent: true,
    clip: true,
    z: 1,
    tooltip: { show: false },
    encode: { x: 0, y: [1, 2] },
    data: [[0, 0, 0]],
    renderItem: (_: unknown, api: { coord(point: readonly number[]): number[] }) => ({
      type: 'group',
      children: finiteRuns(positions, curve.low).map((run) => ({
        type: 'polygon',
        shape: {
          points: [
            ...run.map((position) => api.coord([position, curve.high[position]!])),
            ...run.toReversed().map((position) => api.coord([position, curve.low[position]!])),
          ],
        },
        style: { fill: withAlpha(colour, 0.15) },
      })),
    }),
  };
}

/** Positions split where a curve has a gap. */
function finiteRuns(positions: Uint32Array, values: Float64Array): number[][] {
  const runs: number[][] = [];
  let run: number[] = [];
  for (const position of positions) {
    if (Number.isNaN(values[position]!)) {
      if (run.length > 1) runs.push(run);
      run = [];
    } else run.push(position);
  }
  if (run.length > 1) runs.push(run);
  return runs;
}

function fitSeries({ colour, label }: NormChartCurve, fit: FittedLine): ChartOption {
  return {
    type: 'line',
    id: `fit-${label}`,
    name: `fit ${label}`,
    silent: true,
    symbol: 'none',
    z: 2,
    tooltip: { show: false },
    lineStyle: { color: colour, width: 1, type: [5, 4] },
    data: [
      [fit.start, fit.valueAtStart],
      [fit.end, fit.valueAtEnd],
    ],
  };
}

/**
 * A vertical line in the colour of its curve. Each mark is labelled in a row of its own above the plot, so that labels
 * never meet however near the marks are; the text goes from the line towards the middle, where there is room.
 */
function markSeries(
  { colour, label }: NormChartCurve,
  mark: { readonly position: number; readonly text: string },
  row: number,
  length: number,
): ChartOption {
  return {
    type: 'line',
    id: `mark-${label}`,
    name: `mark ${label}`,
    silent: true,
    data: [],
    tooltip: { show: false },
    markLine: {
      silent: true,
      symbol: 'none',
      lineStyle: { color: withAlpha(colour, 0.55), type: 'solid', width: 1 },
      label: {
        formatter: mark.text,
        position: 'end',
        align: 2 * mark.position < length ? 'left' : 'right',
        distance: [0, 4 + row * MARK_ROW],
        color: colour,
        fontSize: 11,
      },
      data: [{ xAxis: mark.position }],
    },
  };
}

/** Stretches as bars on a rail, at least three pixels wide. */
function railSeries(id: string, stretches: readonly Stretch[], rail: Rail, colour: string): ChartOption {
  return {
    type: 'custom',
    id,
    name: id,
    silent: true,
    clip: true,
    z: 4,
    tooltip: { show: false },
    encode: { x: [0, 1], y: 2 },
    data: stretches.map((stretch) => [stretch.start, stretch.end - 1, rail.decade]),
    renderItem: (
      _: unknown,
      api: { value(dimension: number): number; coord(point: readonly number[]): [number, number] },
    ) => {
      const [left, y] = api.coord([api.value(0), api.value(2)]);
      const [right] = api.coord([api.value(1), api.value(2)]);
      return {
        type: 'rect',
        shape: { x: left - 1.5, y: y - 6, width: right - left + 3, height: 5 },
        style: { fill: colour },
      };
    },
  };
}

function selectionSeries(position: number, palette: Palette): ChartOption {
  return {
    type: 'line',
    id: 'selection',
    name: 'selection',
    silent: true,
    data: [],
    tooltip: { show: false },
    markLine: {
      silent: true,
      symbol: 'none',
      label: { show: false },
      lineStyle: { color: palette.text, type: [2, 3], width: 1 },
      data: [{ xAxis: position }],
    },
  };
}

/**
 * What stands at a position: one line a curve, an exact zero, NaN and a gap told apart.
 *
 * @param input - What the chart shows.
 * @param at - A position, rounded to the nearest whole one.
 * @returns Lines; null outside the chart.
 */
export function normReadOut(input: NormChartInput, at: number): string | null {
  const position = Math.round(at);
  if (position < 0 || position >= input.length) return null;
  const lines = input.curves.map(({ label, curve, showBand }) => {
    const log = curve.logMiddle[position]!;
    if (Number.isNaN(log)) {
      const isBroken = curve.notFinite.some(({ start, end }) => position >= start && position < end);
      return `${label}  ${isBroken ? 'NaN' : 'not computed'}`;
    }
    const band = [curve.low[position]!, curve.high[position]!].map((decades) => formatFromLog(decades * Math.LN10));
    return `${label}  ${formatFromLog(log)}${showBand && Number.isFinite(log) ? `   (${band.join(' to ')})` : ''}`;
  });
  return [`${input.positionName} ${formatCount(position)}`, ...lines].join('\n');
}
