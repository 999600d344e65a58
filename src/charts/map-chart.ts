/**
 * A matrix as one picture: ECharts keeps axes and zoom, the cells are ONE image of a custom series.
 *
 * The image holds only what is visible, at the size it has on the screen, so it is sharp at every zoom and cheap at every
 * size. Painting needs a canvas, which this module must not know: the caller gives a painter.
 */
import {
  AXIS_HEIGHT,
  baseOption,
  innerZoom,
  positionAxis,
  TITLE_HEIGHT,
  type ChartOption,
  type PictureTitle,
} from './axis-style';
import type { MapRange, MapScale, MapWindow } from './map-data';
import type { Palette } from './palette';

/** A picture of one window of a map. */
export interface PaintedMap {
  /** Something that a canvas can draw. */
  readonly image: unknown;
  readonly view: MapWindow;
}

/**
 * Paints one window of a map for so many pixels. May give the picture of another window, painted before, while the wanted
 * one is being painted, or null when there is none yet.
 */
export type MapPainter = (view: MapWindow, width: number, height: number) => PaintedMap | null;

/** What a map chart shows. */
export interface MapChartInput {
  readonly rows: number;
  readonly columns: number;
  readonly xName: string;
  readonly yName: string;
  readonly scale: MapScale;
  readonly range: MapRange;
  /** Text of the ends and ticks of the colour scale. */
  readonly scaleLabel: (value: number) => string;
  readonly painter: MapPainter;
  /** Draws the colour scale itself, lowest value at the bottom. */
  readonly scalePainter: (width: number, height: number) => unknown;
  /** A chosen cell: lines along its row and its column; null = none. */
  readonly selectedRow: number | null;
  readonly selectedColumn: number | null;
  /** Distance of two ticks of the colour scale; left out: a quarter of it. */
  readonly scaleInterval?: number;
  /** The wheel alone zooms along both axes, and lines cross at the pointer; left out: the wheel belongs to the page. */
  readonly isExplored?: boolean;
}

interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A visible part of a map and where it lies on the screen. */
export interface VisiblePart {
  readonly view: MapWindow;
  readonly target: Rectangle;
}

interface RenderApi {
  coord(point: readonly number[]): [number, number];
}

const SCALE_WIDTH = 10;
const RIGHT = 82;
/** The colour scale is labelled at its ends and in between at equal distances. */
const SCALE_INTERVALS = 4;

/**
 * The option of a map; row 0 is at the top, and cell (row, column) is centred on that point of the axes.
 *
 * @param input - Size, scale, painter, selection.
 * @param palette - The colours.
 * @param title - For export; null on screen.
 */
export function mapChartOption(input: MapChartInput, palette: Palette, title: PictureTitle | null = null): ChartOption {
  const top = 14 + (title ? TITLE_HEIGHT : 0);
  const { low, high } = input.scale;
  const swatches = swatchesOf(input, palette);
  return {
    ...baseOption(palette, title),
    grid: [
      { id: 'map', left: 48, right: RIGHT, top, bottom: AXIS_HEIGHT },
      { id: 'scale', right: RIGHT - 16 - SCALE_WIDTH, width: SCALE_WIDTH, top, bottom: AXIS_HEIGHT },
    ],
    xAxis: [
      { ...positionAxis(palette, input.xName, input.columns), gridIndex: 0, min: -0.5, max: input.columns - 0.5 },
      { type: 'value', gridIndex: 1, min: 0, max: 1, show: false },
    ],
    yAxis: [
      {
        ...positionAxis(palette, input.yName, input.rows),
        gridIndex: 0,
        min: -0.5,
        max: input.rows - 0.5,
        inverse: true,
        nameGap: 32,
      },
      {
        type: 'value',
        gridIndex: 1,
        position: 'right',
        min: low,
        max: high > low ? high : low + 1,
        interval: input.scaleInterval ?? (high > low ? high - low : 1) / SCALE_INTERVALS,
        axisLine: { show: false },
        axisTick: { show: false },
        splitLine: { show: false },
        axisLabel: { color: palette.textMuted, fontSize: 11, margin: 6, formatter: input.scaleLabel },
      },
    ],
    ...(input.isExplored && !title && { tooltip: crossHair(palette) }),
    dataZoom: [
      { ...innerZoom([0]), minValueSpan: 2, ...(input.isExplored && { zoomOnMouseWheel: true }) },
      {
        type: 'inside',
        id: 'zoom-y',
        yAxisIndex: [0],
        filterMode: 'none',
        minValueSpan: input.isExplored ? 2 : 1,
        zoomOnMouseWheel: input.isExplored ? true : 'shift',
      },
    ],
    series: [mapSeries(input, palette), scaleSeries(input, palette)],
    graphic: swatches,
  };
}

/** Lines along the row and the column at the pointer; the value there is said beside the chart. */
function crossHair(palette: Palette): ChartOption {
  const lineStyle = { color: palette.axis, type: 'solid', width: 1 };
  return {
    trigger: 'none',
    renderMode: 'richText',
    showContent: false,
    axisPointer: {
      type: 'cross',
      snap: false,
      animation: false,
      label: { show: false },
      lineStyle,
      crossStyle: lineStyle,
    },
  };
}

/**
 * The part of a map that a plot area shows, whole cells only, and the rectangle that those cells fill.
 *
 * @param full - Where the whole map would lie.
 * @param plot - The plot area.
 * @param rows - Rows of the map.
 * @param columns - Columns of the map.
 */
export function visiblePart(full: Rectangle, plot: Rectangle, rows: number, columns: number): VisiblePart | null {
  const cellWidth = full.width / columns;
  const cellHeight = full.height / rows;
  const columnStart = Math.max(0, Math.floor((plot.x - full.x) / cellWidth + 1e-6));
  const columnEnd = Math.min(columns, Math.ceil((plot.x + plot.width - full.x) / cellWidth - 1e-6));
  const rowStart = Math.max(0, Math.floor((plot.y - full.y) / cellHeight + 1e-6));
  const rowEnd = Math.min(rows, Math.ceil((plot.y + plot.height - full.y) / cellHeight - 1e-6));
  if (columnEnd <= columnStart || rowEnd <= rowStart) return null;
  const view = { columnStart, columnEnd, rowStart, rowEnd };
  return { view, target: placeOf(view, full, rows, columns) };
}

/** Where a window of a map lies, given where the whole map would. */
function placeOf(view: MapWindow, full: Rectangle, rows: number, columns: number): Rectangle {
  const cellWidth = full.width / columns;
  const cellHeight = full.height / rows;
  return {
    x: full.x + view.columnStart * cellWidth,
    y: full.y + view.rowStart * cellHeight,
    width: (view.columnEnd - view.columnStart) * cellWidth,
    height: (view.rowEnd - view.rowStart) * cellHeight,
  };
}

function mapSeries(input: MapChartInput, palette: Palette): ChartOption {
  const { rows, columns } = input;
  return {
    type: 'custom',
    id: 'map',
    name: 'map',
    xAxisIndex: 0,
    yAxisIndex: 0,
    clip: true,
    silent: true,
    encode: { x: [0, 1], y: [2, 3] },
    data: [[0, columns - 1, 0, rows - 1]],
    renderItem: (parameters: { coordSys: Rectangle }, api: RenderApi) => {
      const [x, y] = api.coord([-0.5, -0.5]);
      const [right, bottom] = api.coord([columns - 0.5, rows - 0.5]);
      const full = { x, y, width: right - x, height: bottom - y };
      const part = visiblePart(full, parameters.coordSys, rows, columns);
      if (!part) return null;
      const painted = input.painter(part.view, part.target.width, part.target.height);
      return {
        type: 'group',
        children: [
          ...(painted
            ? [{ type: 'image', style: { image: painted.image, ...placeOf(painted.view, full, rows, columns) } }]
            : []),
          ...selectionShapes(input, full, parameters.coordSys, palette),
        ],
      };
    },
  };
}

/** Thin frames around the chosen row and column. */
function selectionShapes(input: MapChartInput, full: Rectangle, plot: Rectangle, palette: Palette): ChartOption[] {
  // Drawn twice, so that the frame is seen on dark cells and on pale ones.
  const styles = [
    { fill: 'none', stroke: palette.panel, lineWidth: 3, opacity: 0.75 },
    { fill: 'none', stroke: palette.text, lineWidth: 1 },
  ];
  const shapes: ChartOption[] = [];
  if (input.selectedRow !== null && input.selectedRow < input.rows) {
    const height = full.height / input.rows;
    const shape = { x: plot.x, y: full.y + input.selectedRow * height, width: plot.width, height };
    shapes.push(...styles.map((style) => ({ type: 'rect', shape, style })));
  }
  if (input.selectedColumn !== null && input.selectedColumn < input.columns) {
    const width = full.width / input.columns;
    const shape = {
      x: full.x + input.selectedColumn * width,
      y: plot.y,
      width: Math.max(1, width),
      height: plot.height,
    };
    shapes.push(...styles.map((style) => ({ type: 'rect', shape, style })));
  }
  return shapes;
}

function scaleSeries(input: MapChartInput, palette: Palette): ChartOption {
  return {
    type: 'custom',
    id: 'scale',
    name: 'scale',
    xAxisIndex: 1,
    yAxisIndex: 1,
    silent: true,
    data: [[0, input.scale.low]],
    renderItem: (parameters: { coordSys: Rectangle }) => {
      const { x, y, width, height } = parameters.coordSys;
      return {
        type: 'group',
        children: [
          { type: 'image', style: { image: input.scalePainter(width, height), x, y, width, height } },
          { type: 'rect', shape: { x, y, width, height }, style: { fill: 'none', stroke: palette.grid, lineWidth: 1 } },
        ],
      };
    },
  };
}

/** Legend of the colours that are not on the scale, for those that occur: one line of text under the colour scale. */
function swatchesOf({ range, scale }: MapChartInput, palette: Palette): ChartOption[] {
  const entries = [
    { name: 'zero', isShown: range.hasZero, colour: palette.zero, text: scale.logarithmic ? 'exact zero' : 'zero' },
    { name: 'missing', isShown: range.hasMissing, colour: palette.missing, text: 'not computed' },
    { name: 'nan', isShown: range.hasNotFinite, colour: palette.notFinite, text: 'NaN' },
  ].filter((entry) => entry.isShown);
  return [
    {
      type: 'text',
      id: 'swatches',
      right: 4,
      bottom: 3,
      silent: true,
      style: {
        text: entries.map(({ name, text }) => `{${name}|} ${text}`).join('   '),
        fill: palette.textMuted,
        fontSize: 11,
        rich: Object.fromEntries(
          entries.map(({ name, colour }) => [
            name,
            { backgroundColor: colour, borderColor: palette.axis, borderWidth: 1, width: 9, height: 9, padding: 0 },
          ]),
        ),
      },
    },
  ];
}
