/** Shares of saturated gates -> ECharts option: to the left the share below 0.1, to the right the share above 0.9. */
import { baseOption, TITLE_HEIGHT, type ChartOption, type PictureTitle } from './axis-style';
import { formatShare } from './number-format';
import { withAlpha, type Palette } from './palette';

/** Saturation of one gate, shares of (timestep, sequence, unit). */
export interface GateSaturation {
  readonly gate: string;
  readonly left: number;
  readonly right: number;
}

/**
 * The option of a chart of saturation shares, one bar pair a gate.
 *
 * @param gates - In the order shown, first at the top.
 * @param palette - The colours.
 * @param title - For export; null on screen.
 */
export function saturationChartOption(
  gates: readonly GateSaturation[],
  palette: Palette,
  title: PictureTitle | null = null,
): ChartOption {
  const bar = (side: 'left' | 'right'): ChartOption => ({
    type: 'bar',
    id: side,
    name: side,
    // Both sides lie on one line; stacking would put a zero on the other side's end.
    barGap: '-100%',
    barWidth: 14,
    silent: true,
    data: gates.map((gate) => ({
      value: side === 'left' ? -gate.left : gate.right,
      itemStyle: { color: withAlpha(palette.gates[gate.gate] ?? palette.textMuted, side === 'left' ? 0.55 : 1) },
      label: {
        show: true,
        position: side === 'left' ? 'left' : 'right',
        formatter: formatShare(side === 'left' ? gate.left : gate.right),
        color: palette.textMuted,
        fontSize: 11,
      },
    })),
  });
  return {
    ...baseOption(palette, title),
    grid: { left: 28, right: 20, top: 26 + (title ? TITLE_HEIGHT : 0), bottom: 28 },
    xAxis: {
      type: 'value',
      min: -1.35,
      max: 1.35,
      interval: 0.5,
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { show: false },
      splitLine: { show: false },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: gates.map(({ gate }) => gate),
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: palette.text, fontSize: 12, fontWeight: 600 },
    },
    series: [
      bar('left'),
      {
        ...bar('right'),
        markLine: {
          silent: true,
          symbol: 'none',
          label: { show: false },
          lineStyle: { color: palette.axis, type: 'solid', width: 1 },
          data: [{ xAxis: 0 }],
        },
      },
    ],
    graphic: [
      caption('below 0.1', { left: '20%' }, palette, title),
      caption('above 0.9', { right: '20%' }, palette, title),
    ],
  };
}

function caption(text: string, place: ChartOption, palette: Palette, title: PictureTitle | null): ChartOption {
  return {
    type: 'text',
    id: text,
    top: 4 + (title ? TITLE_HEIGHT : 0),
    ...place,
    silent: true,
    style: { text, fill: palette.textMuted, fontSize: 11 },
  };
}
