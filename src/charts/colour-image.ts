/**
 * Values -> RGBA pixels through a look-up table; also the value behind a cell and the range of a map.
 *
 * A map may be larger than the screen: `paintMap` paints one window of it into at most so many pixels and lets the extreme
 * of the cells behind a pixel decide, so that no peak is lost. An exact zero of a log map, a cell not computed, and NaN have
 * colours of their own that are not on the scale.
 */
import { lookUpTable, LOOK_UP_SIZE, type ColourScaleKind } from './colour-map';
import { paletteOf, rgbOf, type ThemeName } from './palette';

/** A matrix of values in a larger array: entry (row, column) is `values[offset + row * rowStride + column * columnStride]`. */
export interface MapData {
  readonly values: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
  readonly offset: number;
  /** `[columns]`, 1 where the column is there; null = all. */
  readonly computed: Uint8Array | null;
  /** `CELL_CLASS` of each of `values`; left out: values, and what `computed` says is not there. */
  readonly classes?: Uint8Array;
  /** What `rangeOf` would find, where it is known already. */
  readonly range?: MapRange;
}

/** What a cell of a map with classes is. */
export const CELL_CLASS = {
  notComputed: 0,
  exactZero: 1,
  value: 2,
  /** Zero because it cannot be otherwise, and left blank: a source after its target. */
  outside: 3,
} as const;

/** How values become colours. */
export interface MapScale {
  readonly kind: ColourScaleKind;
  /** Values at the two ends of the table. */
  readonly low: number;
  readonly high: number;
  /** True where the values are logs, so that `-Infinity` is an exact zero. */
  readonly logarithmic: boolean;
}

/** Half-open ranges of columns and rows. */
export interface MapWindow {
  readonly columnStart: number;
  readonly columnEnd: number;
  readonly rowStart: number;
  readonly rowEnd: number;
}

/** RGBA pixels, row-major from the top left. */
export interface ColourImage {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** Which special classes a map holds. */
export interface MapRange {
  /** null when there is no finite value. */
  readonly low: number | null;
  readonly high: number | null;
  readonly hasZero: boolean;
  readonly hasMissing: boolean;
  readonly hasNotFinite: boolean;
}

/**
 * The value of a cell, undefined when it is not computed.
 *
 * @param map - The map.
 * @param row - 0 .. rows - 1.
 * @param column - 0 .. columns - 1.
 */
export function cellAt(map: MapData, row: number, column: number): number | undefined {
  if (map.computed && !map.computed[column]) return undefined;
  const position = map.offset + row * map.rowStride + column * map.columnStride;
  return map.classes?.[position] === CELL_CLASS.notComputed ? undefined : map.values[position];
}

/** Cells that are looked at between two yields; well below a millisecond. */
const CELLS_PER_SLICE = 2 ** 16;

/**
 * The finite range of a map and which special classes occur in it.
 *
 * @param map - The map.
 * @param logarithmic - True where `-Infinity` means an exact zero; otherwise 0 does.
 */
export function rangeOf(map: MapData, logarithmic: boolean): MapRange {
  return wholeOf(rangeInSlices(map, logarithmic));
}

/**
 * As `rangeOf`, with a yield after every slice of work, for maps too large to be gone through at once.
 *
 * @param map - The map.
 * @param logarithmic - True where `-Infinity` means an exact zero; otherwise 0 does.
 */
export function* rangeInSlices(map: MapData, logarithmic: boolean): Generator<void, MapRange, void> {
  if (map.range) return map.range;
  const sums: RangeSums = { low: Infinity, high: -Infinity, hasZero: false, hasNotFinite: false };
  const zero = logarithmic ? -Infinity : 0;
  let hasMissing = false;
  let cells = 0;
  for (let column = 0; column < map.columns; column += 1) {
    if (map.computed && !map.computed[column]) {
      hasMissing = true;
      continue;
    }
    addColumn(sums, map, column, zero);
    cells += map.rows;
    if (cells < CELLS_PER_SLICE) continue;
    cells = 0;
    yield;
  }
  const { low, high, hasZero, hasNotFinite } = sums;
  const empty = low > high;
  return { low: empty ? null : low, high: empty ? null : high, hasZero, hasMissing, hasNotFinite };
}

interface RangeSums {
  low: number;
  high: number;
  hasZero: boolean;
  hasNotFinite: boolean;
}

function addColumn(sums: RangeSums, { values, rows, rowStride, ...map }: MapData, column: number, zero: number): void {
  let { low, high } = sums;
  let position = map.offset + column * map.columnStride;
  for (let row = 0; row < rows; row += 1, position += rowStride) {
    const value = values[position] as number;
    if (value === zero) sums.hasZero = true;
    if (value - value === 0) {
      if (value < low) low = value;
      if (value > high) high = value;
    } else if (value !== zero) sums.hasNotFinite = true;
  }
  sums.low = low;
  sums.high = high;
}

function wholeOf<T>(slices: Generator<void, T, void>): T {
  for (;;) {
    const step = slices.next();
    if (step.done === true) return step.value;
  }
}

/** Positions of pixel borders along an axis: pixel p covers cells `edges[p]` .. `edges[p + 1]` (at least one). */
function pixelEdges(start: number, end: number, maxPixels: number): Uint32Array {
  const count = Math.max(1, Math.min(end - start, Math.floor(maxPixels)));
  const edges = new Uint32Array(count + 1);
  for (let pixel = 0; pixel <= count; pixel += 1) {
    edges[pixel] = start + Math.round(((end - start) * pixel) / count);
  }
  return edges;
}

/**
 * One window of a map as pixels, at most `maxWidth` by `maxHeight`: one pixel a cell, or the extreme of several cells.
 *
 * @param map - The map.
 * @param view - The part to paint; ends beyond the map are a bug of the caller.
 * @param scale - How values become colours.
 * @param theme - Which look is on.
 * @param maxWidth - Pixels.
 * @param maxHeight - Pixels.
 *
 * Numerics: the deciding cell of a pixel is the largest (logs) or the largest in size (signed values); NaN wins over all.
 */
export function paintMap(
  map: MapData,
  view: MapWindow,
  scale: MapScale,
  theme: ThemeName,
  maxWidth: number,
  maxHeight: number,
): ColourImage {
  return wholeOf(paintInSlices(map, view, scale, theme, maxWidth, maxHeight));
}

/** As `paintMap`, with a yield after every slice of work, for maps too large to be painted at once. */
export function* paintInSlices(
  map: MapData,
  view: MapWindow,
  scale: MapScale,
  theme: ThemeName,
  maxWidth: number,
  maxHeight: number,
): Generator<void, ColourImage, void> {
  const xs = pixelEdges(view.columnStart, view.columnEnd, maxWidth);
  const ys = pixelEdges(view.rowStart, view.rowEnd, maxHeight);
  const width = xs.length - 1;
  const height = ys.length - 1;
  const pixels = new Uint8ClampedArray(width * height * 4);
  const words = new Uint32Array(pixels.buffer);
  const wordOf = wordsOf(scale, theme);
  const best: Extremes = { value: new Float64Array(height), isThere: new Uint8Array(height) };
  let cells = 0;
  for (let x = 0; x < width; x += 1) {
    best.isThere.fill(0);
    for (let column = xs[x]!; column < xs[x + 1]!; column += 1) {
      if (map.computed && !map.computed[column]) continue;
      raiseExtremes(best, map, column, ys, scale.kind === 'diverging');
      cells += view.rowEnd - view.rowStart;
      if (cells < CELLS_PER_SLICE) continue;
      cells = 0;
      yield;
    }
    for (let y = 0; y < height; y += 1) {
      if (best.isThere[y] === BLANK) continue;
      words[y * width + x] = wordOf(best.isThere[y] === 1 ? best.value[y]! : undefined);
    }
  }
  return { width, height, pixels };
}

/** All cells behind a pixel lie outside. */
const BLANK = 2;

/** The deciding values of one column of pixels so far. */
interface Extremes {
  readonly value: Float64Array;
  /** 0 none yet, 1 there is one, `BLANK`. */
  readonly isThere: Uint8Array;
}

/** Goes through one column of cells; the order in which cells lie in memory for maps over time. */
function raiseExtremes(best: Extremes, map: MapData, column: number, ys: Uint32Array, bySize: boolean): void {
  const { values, rowStride, classes } = map;
  const { value: found, isThere } = best;
  let position = map.offset + column * map.columnStride + ys[0]! * rowStride;
  for (let y = 0; y < found.length; y += 1) {
    let extreme = found[y]!;
    let isFirst = isThere[y] !== 1;
    let isBlank = isThere[y] === BLANK;
    for (let row = ys[y]!; row < ys[y + 1]!; row += 1, position += rowStride) {
      if (classes) {
        const kind = classes[position];
        if (kind === CELL_CLASS.outside) isBlank = true;
        if (kind === CELL_CLASS.outside || kind === CELL_CLASS.notComputed) continue;
      }
      const value = values[position] as number;
      // A NaN that was found stays: no comparison with it holds.
      if (isFirst || Number.isNaN(value) || (bySize ? Math.abs(value) > Math.abs(extreme) : value > extreme)) {
        extreme = value;
        isFirst = false;
      }
    }
    found[y] = extreme;
    if (!isFirst) isThere[y] = 1;
    else if (isBlank) isThere[y] = BLANK;
  }
}

/** The colour of a value as a word; `undefined` is a value that is not computed. */
function wordsOf(scale: MapScale, theme: ThemeName): (value: number | undefined) => number {
  const colours = colourWords(scale.kind, theme);
  const factor = scale.high > scale.low ? (LOOK_UP_SIZE - 1) / (scale.high - scale.low) : 0;
  const zero = scale.logarithmic ? -Infinity : 0;
  return (value) => {
    if (value === undefined) return colours.missing;
    if (value === zero) return colours.zero;
    if (value - value !== 0) return colours.notFinite;
    const index = factor === 0 ? LOOK_UP_SIZE >> 1 : Math.round((value - scale.low) * factor);
    return colours.table[Math.min(LOOK_UP_SIZE - 1, Math.max(0, index))]!;
  };
}

interface ColourWords {
  readonly table: Uint32Array;
  readonly zero: number;
  readonly missing: number;
  readonly notFinite: number;
}

/** The colours as 32-bit words in this machine's byte order. */
function colourWords(kind: ColourScaleKind, theme: ThemeName): ColourWords {
  const palette = paletteOf(theme);
  const lookUp = lookUpTable(kind, theme);
  const wordOf = (colour: string): number => {
    const bytes = new Uint8ClampedArray([...rgbOf(colour), 255]);
    return new Uint32Array(bytes.buffer)[0]!;
  };
  return {
    table: new Uint32Array(lookUp.buffer, lookUp.byteOffset, LOOK_UP_SIZE),
    zero: wordOf(palette.zero),
    missing: wordOf(palette.missing),
    notFinite: wordOf(palette.notFinite),
  };
}
