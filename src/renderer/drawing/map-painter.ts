/** Maps on canvases, one pixel a cell, then scaled without smoothing to the size on the screen. */
import {
  paintInSlices,
  paintMap,
  type ColourImage,
  type MapData,
  type MapScale,
  type MapWindow,
} from '../../charts/colour-image';
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
