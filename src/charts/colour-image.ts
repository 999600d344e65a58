/**
 * Values -> RGBA pixels through a look-up table.
 *
 * A map may be larger than the screen: `paintMap` paints one window of it into at most so many pixels and lets the extreme
 * of the cells behind a pixel decide, so that no peak is lost. An exact zero of a log map, a cell not computed, and NaN have
 * colours of their own that are not on the scale; a cell that lies outside is left blank.
 */
import { lookUpTable, LOOK_UP_SIZE, type ColourScaleKind } from './colour-map';
import { CELL_CLASS, CELLS_PER_SLICE, wholeOf, type MapData, type MapScale, type MapWindow } from './map-data';
import { paletteOf, rgbOf, type ThemeName } from './palette';

/** RGBA pixels, row-major from the top left. */
export interface ColourImage {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
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
  return yield* paintBetween(map, xs, ys, scale, theme);
}

/** Positions of pixel borders at whole multiples of `step`. */
function stepEdges(start: number, end: number, step: number): Uint32Array {
  const first = Math.floor(start / step);
  const count = Math.ceil(end / step) - first;
  return Uint32Array.from({ length: count + 1 }, (_, pixel) => (first + pixel) * step);
}

/**
 * The pixels of a window of a map where each stands for `step` x `step` cells, counted from the first of the map; with a
 * yield after every slice of work.
 *
 * @param map - The map.
 * @param view - The part to paint; pixels that it touches are painted whole.
 * @param scale - How values become colours.
 * @param theme - Which look is on.
 * @param step - Cells a pixel, along both axes.
 */
export function paintSteps(
  map: MapData,
  view: MapWindow,
  scale: MapScale,
  theme: ThemeName,
  step: number,
): Generator<void, ColourImage, void> {
  const xs = stepEdges(view.columnStart, view.columnEnd, step).map((edge) => Math.min(edge, map.columns));
  const ys = stepEdges(view.rowStart, view.rowEnd, step).map((edge) => Math.min(edge, map.rows));
  return paintBetween(map, xs, ys, scale, theme);
}

/** One pixel for the cells between any two neighbouring borders. */
function* paintBetween(
  map: MapData,
  xs: Uint32Array,
  ys: Uint32Array,
  scale: MapScale,
  theme: ThemeName,
): Generator<void, ColourImage, void> {
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
      cells += ys[height]! - ys[0]!;
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
