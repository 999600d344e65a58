/**
 * What all pictures share: type, axes, tooltip, no animation.
 *
 * Options are plain data; the window registers the parts of ECharts that they name.
 */
import { formatCount } from './number-format';
import type { Palette } from './palette';

/** An ECharts option, as plain data. */
export type ChartOption = Record<string, unknown>;

/** The typeface of pictures; the window ships it. */
export const CHART_FONT = '"Inter Variable", Inter, system-ui, sans-serif';

/** A title drawn inside an exported picture; on screen the frame around the picture carries it. */
export interface PictureTitle {
  readonly title: string;
  readonly subtitle: string;
}

/** Room under a plot for its axis, pixels. */
export const AXIS_HEIGHT = 38;

/** Height that a title takes from the picture, pixels. */
export const TITLE_HEIGHT = 44;

/**
 * The parts of an option that do not depend on the data.
 *
 * @param palette - The colours.
 * @param title - For export; null on screen.
 */
export function baseOption(palette: Palette, title: PictureTitle | null): ChartOption {
  return {
    animation: false,
    textStyle: { fontFamily: CHART_FONT, fontSize: 11, color: palette.textMuted },
    ...(title && {
      backgroundColor: palette.panel,
      title: {
        text: title.title,
        subtext: title.subtitle,
        left: 12,
        top: 8,
        itemGap: 7,
        textStyle: { fontFamily: CHART_FONT, fontSize: 13, fontWeight: 600, color: palette.text },
        subtextStyle: { fontFamily: CHART_FONT, fontSize: 11, color: palette.textMuted },
      },
    }),
  };
}

/**
 * An axis of whole positions: lags, timesteps, units.
 *
 * @param palette - The colours.
 * @param name - Text under the axis.
 * @param last - Largest position.
 *
 * A label at the very end would run into the last regular one, so there is none.
 */
export function positionAxis(palette: Palette, name: string, last: number): ChartOption {
  return {
    type: 'value',
    min: 0,
    max: Math.max(1, last),
    minInterval: 1,
    name,
    nameLocation: 'middle',
    nameGap: 22,
    nameTextStyle: { color: palette.textMuted, fontSize: 11 },
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { show: false },
    axisLabel: {
      color: palette.textMuted,
      fontSize: 11,
      hideOverlap: true,
      showMaxLabel: false,
      formatter: (value: number) => (Number.isInteger(value) ? formatCount(value) : ''),
    },
  };
}

/**
 * A vertical axis of ordinary numbers.
 *
 * @param palette - The colours.
 * @param format - Text of a tick.
 */
export function valueAxis(palette: Palette, format: (value: number) => string): ChartOption {
  return {
    type: 'value',
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: palette.grid, width: 1 } },
    axisLabel: { color: palette.textMuted, fontSize: 11, formatter: format },
  };
}

/**
 * The line at the pointer. What stands there is said by the window beside the chart, in its own type: ECharts' own tooltip
 * needs styled mark-up, which a strict content policy forbids.
 *
 * @param palette - The colours.
 */
export function pointerLine(palette: Palette): ChartOption {
  return {
    trigger: 'axis',
    renderMode: 'richText',
    showContent: false,
    axisPointer: { type: 'line', snap: true, lineStyle: { color: palette.axis, type: 'solid', width: 1 } },
  };
}

/**
 * Zooming along x by pinch or Ctrl with the wheel, moving by drag; the place is kept while data stream in. The wheel alone
 * belongs to the page.
 *
 * @param axes - Indices of the x axes.
 */
export function innerZoom(axes: readonly number[]): ChartOption {
  return {
    type: 'inside',
    id: 'zoom-x',
    xAxisIndex: [...axes],
    filterMode: 'none',
    zoomOnMouseWheel: 'ctrl',
    moveOnMouseMove: true,
    minValueSpan: 4,
  };
}
