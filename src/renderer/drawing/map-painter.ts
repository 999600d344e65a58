/**
 * Paints maps onto canvases, one pixel a cell, then scaled without smoothing to the size on the screen.
 *
 * A painter keeps its two canvases and repaints only when the window of the map or the data has changed.
 */
import { paintMap, type ColourImage, type MapData, type MapScale, type MapWindow } from '../../charts/colour-image';
import { lookUpTable, LOOK_UP_SIZE, type ColourScaleKind } from '../../charts/colour-map';
import type { MapPainter } from '../../charts/map-chart';
import type { ThemeName } from '../../charts/palette';

/** Longest side of a picture of a map, device pixels. */
const MAX_PIXELS = 4096;

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

/**
 * A painter of one map.
 *
 * @param map - The map as it is now.
 * @param scale - How values become colours.
 * @param theme - Which look is on.
 * @param pixelRatio - Device pixels a CSS pixel.
 */
export function makeMapPainter(map: MapData, scale: MapScale, theme: ThemeName, pixelRatio: number): MapPainter {
  let last: { key: string; canvas: HTMLCanvasElement } | null = null;
  return (view: MapWindow, width: number, height: number) => {
    const deviceWidth = Math.min(MAX_PIXELS, width * pixelRatio);
    const deviceHeight = Math.min(MAX_PIXELS, height * pixelRatio);
    const key = [...Object.values(view), deviceWidth, deviceHeight].join();
    if (last?.key !== key) {
      const image = paintMap(map, view, scale, theme, deviceWidth, deviceHeight);
      last = { key, canvas: scaled(canvasOf(image), deviceWidth, deviceHeight) };
    }
    return last.canvas;
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
