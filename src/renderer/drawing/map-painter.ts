/** Maps on canvases, one pixel a cell, then scaled without smoothing to the size on the screen. */
import { paintInSlices, paintMap, paintSteps, type ColourImage } from '../../charts/colour-image';
import type { MapData, MapScale, MapWindow } from '../../charts/map-data';
import { lookUpTable, LOOK_UP_SIZE, type ColourScaleKind } from '../../charts/colour-map';
import type { MapPainter } from '../../charts/map-chart';
import type { ThemeName } from '../../charts/palette';

/** Longest side of a picture of a map, device pixels. */
const MAX_PIXELS = 4096;

/** A window of a map with the size on the screen, device pixels. */
export interface WantedPicture {
  readonly view: MapWindow;
  readonly width: number;
  readonly height: number;
}

/**
 * A wanted picture with its size in device pixels.
 *
 * @param view - The window of the map.
 * @param width - CSS pixels.
 * @param height - CSS pixels.
 * @param pixelRatio - Device pixels a CSS pixel.
 */
export function wantedPicture(view: MapWindow, width: number, height: number, pixelRatio: number): WantedPicture {
  return {
    view,
    width: Math.min(MAX_PIXELS, width * pixelRatio),
    height: Math.min(MAX_PIXELS, height * pixelRatio),
  };
}

/**
 * Whether two wanted pictures are the same.
 *
 * @param a - One.
 * @param b - The other.
 */
export function isSamePicture(a: WantedPicture, b: WantedPicture): boolean {
  const words = ({ view, width, height }: WantedPicture): string =>
    [view.columnStart, view.columnEnd, view.rowStart, view.rowEnd, width, height].join();
  return words(a) === words(b);
}

/**
 * A picture of a map, painted a slice at a time.
 *
 * @param map - The map.
 * @param scale - How values become colours.
 * @param theme - Which look is on.
 * @param wanted - Which part, how large.
 */
export function* canvasInSlices(
  map: MapData,
  scale: MapScale,
  theme: ThemeName,
  { view, width, height }: WantedPicture,
): Generator<void, HTMLCanvasElement, void> {
  const image = yield* paintInSlices(map, view, scale, theme, width, height);
  yield;
  return scaled(canvasOf(image), width, height);
}

/** Pixels that are put on a canvas between two yields; about a millisecond. */
const PIXELS_PER_STRIP = 2 ** 18;

/**
 * A canvas for a whole map, each pixel for 2^level x 2^level cells; nothing is painted on it yet.
 *
 * @param map - The map.
 * @param level - 0 for one pixel a cell.
 */
export function levelCanvas({ columns, rows }: MapData, level: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil(columns / 2 ** level);
  canvas.height = Math.ceil(rows / 2 ** level);
  return canvas;
}

/**
 * Nothing; paints a window of a map on the canvas of a level, a slice at a time.
 *
 * @param canvas - As `levelCanvas` made it.
 * @param map - The map.
 * @param view - What is painted; pixels that it touches are painted whole.
 * @param scale - How values become colours.
 * @param theme - Which look is on.
 * @param level - Of the canvas.
 */
export function* paintLevel(
  canvas: HTMLCanvasElement,
  map: MapData,
  view: MapWindow,
  scale: MapScale,
  theme: ThemeName,
  level: number,
): Generator<void, true, void> {
  const step = 2 ** level;
  const { width, height, pixels } = yield* paintSteps(map, view, scale, theme, step);
  const [left, top] = [Math.floor(view.columnStart / step), Math.floor(view.rowStart / step)];
  const context = canvas.getContext('2d');
  const image = new ImageData(pixels, width, height);
  const rows = Math.max(1, Math.floor(PIXELS_PER_STRIP / width));
  for (let row = 0; row < height; row += rows) {
    yield;
    context?.putImageData(image, left, top, 0, row, width, Math.min(rows, height - row));
  }
  return true;
}

/**
 * Nothing; copies a window of the canvas of a level to a screen of so many pixels, every pixel a sharp block.
 *
 * @param from - The canvas.
 * @param level - Its level.
 * @param view - The window.
 * @param screen - Painted over.
 * @param width - Device pixels.
 * @param height - Device pixels.
 */
export function copyWindow(
  from: HTMLCanvasElement,
  level: number,
  view: MapWindow,
  screen: HTMLCanvasElement,
  width: number,
  height: number,
): void {
  const side = (pixels: number): number => Math.max(1, Math.min(MAX_PIXELS, Math.round(pixels)));
  // Setting a size clears the canvas, also where it is the same.
  screen.width = side(width);
  screen.height = side(height);
  const context = screen.getContext('2d');
  if (!context) return;
  const step = 2 ** level;
  const [columns, rows] = [view.columnEnd - view.columnStart, view.rowEnd - view.rowStart];
  context.imageSmoothingEnabled = false;
  context.drawImage(
    from,
    ...([view.columnStart / step, view.rowStart / step, columns / step, rows / step] as const),
    ...([0, 0, screen.width, screen.height] as const),
  );
}

/**
 * A painter that paints at once, for a picture that is exported.
 *
 * @param map - The map as it is now.
 * @param scale - How values become colours.
 * @param theme - Which look is on.
 * @param pixelRatio - Device pixels a CSS pixel.
 */
export function makeMapPainter(map: MapData, scale: MapScale, theme: ThemeName, pixelRatio: number): MapPainter {
  return (view, width, height) => {
    const wanted = wantedPicture(view, width, height, pixelRatio);
    const image = paintMap(map, view, scale, theme, wanted.width, wanted.height);
    return { image: scaled(canvasOf(image), wanted.width, wanted.height), view };
  };
}

/**
 * A painter of a colour scale, lowest value at the bottom.
 *
 * @param kind - Sequential or diverging.
 * @param theme - Which look is on.
 */
export function makeScalePainter(
  kind: ColourScaleKind,
  theme: ThemeName,
): (width: number, height: number) => HTMLCanvasElement {
  return (width, height) => {
    const table = lookUpTable(kind, theme);
    const pixels = new Uint8ClampedArray(LOOK_UP_SIZE * 4);
    for (let index = 0; index < LOOK_UP_SIZE; index += 1) {
      const from = (LOOK_UP_SIZE - 1 - index) * 4;
      pixels.set(table.subarray(from, from + 4), index * 4);
    }
    return scaled(canvasOf({ width: 1, height: LOOK_UP_SIZE, pixels }), width * 2, height * 2);
  };
}

function canvasOf(image: ColourImage): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext('2d')?.putImageData(new ImageData(image.pixels, image.width, image.height), 0, 0);
  return canvas;
}

/** The same picture at another size, every pixel a sharp block. */
function scaled(source: HTMLCanvasElement, width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.min(MAX_PIXELS, Math.round(width)));
  canvas.height = Math.max(1, Math.min(MAX_PIXELS, Math.round(height)));
  const context = canvas.getContext('2d');
  if (context) {
    context.imageSmoothingEnabled = false;
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
  }
  return canvas;
}
