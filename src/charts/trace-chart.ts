/** Traces of one unit over time (states and gates) -> ECharts option: two plots on one time axis. */
import {
  AXIS_HEIGHT,
  baseOption,
  innerZoom,
  pointerLine,
  positionAxis,
  TITLE_HEIGHT,
  valueAxis,
  type ChartOption,
  type PictureTitle,
} from './axis-style';
import { thinnedPositions } from './norm-curve';
import { formatCount, formatFixed, formatNumber } from './number-format';
import type { Palette } from './palette';

/** One trace. */
export interface Trace {
  /** `h`, `c`, `i` ... */
  readonly name: string;
  readonly values: Float64Array;
  readonly colour: string;
  /** States above, gates below. */
  readonly plot: 'states' | 'gates';
}

/** What a chart of traces shows. */
export interface TraceChartInput {
  readonly traces: readonly Trace[];
  readonly steps: number;
  readonly selectedStep: number | null;
}

const MAX_DRAWN_POINTS = 2400;

/**
 * The option of a chart of traces.
 *
 * @param input - The traces of one unit.
 * @param palette - The colours.
 * @param title - For export; null on screen.
 */
export function traceChartOption(
  input: TraceChartInput,
  palette: Palette,
  title: PictureTitle | null = null,
): ChartOption {
  const hasGates = input.traces.some((trace) => trace.plot === 'gates');
  const top = 14 + (title ? TITLE_HEIGHT : 0);
  const plots = hasGates ? (['states', 'gates'] as const) : (['states'] as const);
  return {
    ...baseOption(palette, title),
    grid: plots.map((plot) => ({
      id: plot,
      left: 48,
      right: 40,
      top: plot === 'states' ? top : '51%',
      bottom: plot === 'states' && hasGates ? '57%' : AXIS_HEIGHT,
    })),
    xAxis: plots.map((_, index) => {
      const last = index === plots.length - 1;
      const axis = positionAxis(palette, last ? 'timestep t' : '', input.steps - 1);
      return { ...axis, gridIndex: index, axisLabel: { ...(axis.axisLabel as object), show: last } };
    }),
    yAxis: plots.map((plot, index) => ({
      ...valueAxis(palette, (value) => formatNumber(value, 2)),
      gridIndex: index,
      splitNumber: 4,
      scale: true,
      ...(plot === 'gates' && gateRange(input.traces)),
    })),
    tooltip: pointerLine(palette),
    axisPointer: { link: [{ xAxisIndex: 'all' }] },
    dataZoom: [innerZoom(plots.map((_, index) => index))],
    series: input.traces.map((trace, index) => ({
      type: 'line',
      id: `trace-${trace.name}`,
      name: trace.name,
      xAxisIndex: trace.plot === 'gates' ? 1 : 0,
      yAxisIndex: trace.plot === 'gates' ? 1 : 0,
      data: Array.from(thinnedPositions(trace.values, MAX_DRAWN_POINTS), (position) => [
        position,
        trace.values[position]!,
      ]),
      symbol: 'circle',
      symbolSize: 5,
      showSymbol: input.steps === 1,
      lineStyle: { color: trace.colour, width: 1.5 },
      itemStyle: { color: trace.colour },
      emphasis: { disabled: true },
      endLabel: {
        show: true,
        formatter: trace.name,
        color: trace.colour,
        fontSize: 12,
        lineHeight: 16,
        fontWeight: 600,
        distance: 8,
      },
      labelLayout: { moveOverlap: 'shiftY' },
      ...(index === 0 && input.selectedStep !== null && { markLine: selectionLine(input.selectedStep, palette) }),
    })),
  };
}

/** Gates lie in 0 .. 1; a candidate may reach to -1 or, with other activations, beyond. */
function gateRange(traces: readonly Trace[]): ChartOption {
  let low = 0;
  let high = 1;
  for (const trace of traces) {
    if (trace.plot !== 'gates') continue;
    for (const value of trace.values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low < 0 && low >= -1) low = -1;
  return { min: low, max: high };
}

function selectionLine(step: number, palette: Palette): ChartOption {
  return {
    silent: true,
    symbol: 'none',
    label: { show: false },
    lineStyle: { color: palette.text, type: [2, 3], width: 1 },
    data: [{ xAxis: step }],
  };
}

/**
 * What stands at a timestep: one line a trace.
 *
 * @param input - What the chart shows.
 * @param at - A timestep, rounded to the nearest whole one.
 * @returns Lines; null outside the chart.
 */
export function traceReadOut(input: TraceChartInput, at: number): string | null {
  const step = Math.round(at);
  if (step < 0 || step >= input.steps) return null;
  const lines = input.traces.map((trace) => `${trace.name}  ${formatFixed(trace.values[step], 4)}`);
  return [`t ${formatCount(step)}`, ...lines].join('\n');
}
