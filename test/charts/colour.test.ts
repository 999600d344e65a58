import { describe, expect, it } from 'vitest';
import { paintMap } from '../../src/charts/colour-image';
import { cellAt, rangeOf, type MapData, type MapScale } from '../../src/charts/map-data';
import { lightnessOf, lookUpTable, LOOK_UP_SIZE } from '../../src/charts/colour-map';
import { paletteOf, rgbOf } from '../../src/charts/palette';

const lightnesses = (table: Uint8ClampedArray): number[] =>
  Array.from({ length: LOOK_UP_SIZE }, (_, index) =>
    lightnessOf(table[4 * index]!, table[4 * index + 1]!, table[4 * index + 2]!),
  );

describe('look-up tables', () => {
  it('grow steadily in lightness, so that order survives grey print and colour blindness', () => {
    const values = lightnesses(lookUpTable('sequential', 'light'));
    const steps = values.slice(1).map((value, index) => value - values[index]!);
    // Bytes are whole numbers, so a single step may fall short; five of them may not.
    for (let index = 5; index < values.length; index += 1) expect(values[index]!).toBeGreaterThan(values[index - 5]!);
    expect(Math.min(...steps)).toBeGreaterThan(-0.003);
    expect(values[0]).toBeCloseTo(0.25, 1);
    expect(values.at(-1)).toBeCloseTo(0.92, 1);
  });

  it.each(['light', 'dark'] as const)('are symmetric in lightness about the middle when signed (%s)', (theme) => {
    const values = lightnesses(lookUpTable('diverging', theme));
    for (let index = 0; index < 128; index += 8) {
      expect(values[index]!).toBeCloseTo(values[LOOK_UP_SIZE - 1 - index]!, 1);
    }
    const middle = values[128]!;
    const isPale = theme === 'light';
    expect(isPale ? middle > 0.9 : middle < 0.35).toBe(true);
  });

  it('hold none of the colours for zero, not computed and NaN', () => {
    for (const theme of ['light', 'dark'] as const) {
      const palette = paletteOf(theme);
      for (const kind of ['sequential', 'diverging'] as const) {
        const table = lookUpTable(kind, theme);
        for (const special of [palette.zero, palette.notFinite]) {
          const [red, green, blue] = rgbOf(special);
          const nearest = Math.min(
            ...Array.from({ length: LOOK_UP_SIZE }, (_, index) =>
              Math.hypot(table[4 * index]! - red, table[4 * index + 1]! - green, table[4 * index + 2]! - blue),
            ),
          );
          expect(nearest, `${special} on the ${kind} scale, ${theme}`).toBeGreaterThan(12);
        }
      }
    }
  });
});

/** Two units over four steps, time-major, as a run keeps them. */
const MAP: MapData = {
  values: Float32Array.from([0, -1, -2, -Infinity, Number.NaN, -4, 7, 7]),
  rows: 2,
  columns: 4,
  rowStride: 1,
  columnStride: 2,
  offset: 0,
  computed: Uint8Array.from([1, 1, 1, 0]),
};
const SCALE: MapScale = { kind: 'sequential', low: -4, high: 0, logarithmic: true };
const WHOLE = { columnStart: 0, columnEnd: 4, rowStart: 0, rowEnd: 2 };

const pixel = (image: { width: number; pixels: Uint8ClampedArray }, x: number, y: number): number[] => [
  ...image.pixels.subarray((y * image.width + x) * 4, (y * image.width + x) * 4 + 3),
];

describe('colour images', () => {
  it('find the range and the special classes, leaving out what is not computed', () => {
    expect(rangeOf(MAP, true)).toEqual({ low: -4, high: 0, hasZero: true, hasMissing: true, hasNotFinite: true });
    expect(cellAt(MAP, 1, 1)).toBe(-Infinity);
    expect(cellAt(MAP, 0, 3)).toBeUndefined();
  });

  it('paint one pixel a cell, with exact zero, NaN and not computed in colours of their own', () => {
    const image = paintMap(MAP, WHOLE, SCALE, 'light', 100, 100);
    const table = lookUpTable('sequential', 'light');
    const palette = paletteOf('light');
    expect([image.width, image.height]).toEqual([4, 2]);
    expect(pixel(image, 0, 0)).toEqual([...table.subarray(255 * 4, 255 * 4 + 3)]);
    expect(pixel(image, 2, 1)).toEqual([...table.subarray(0, 3)]);
    expect(pixel(image, 1, 1)).toEqual([...rgbOf(palette.zero)]);
    expect(pixel(image, 2, 0)).toEqual([...rgbOf(palette.notFinite)]);
    expect(pixel(image, 3, 0)).toEqual([...rgbOf(palette.missing)]);
  });

  it('let the largest cell decide where several share a pixel, so that no peak is lost', () => {
    const values = new Float32Array(1000).fill(-4);
    values[637] = 0;
    const map: MapData = { values, rows: 1, columns: 1000, rowStride: 1, columnStride: 1, offset: 0, computed: null };
    const view = { columnStart: 0, columnEnd: 1000, rowStart: 0, rowEnd: 1 };
    const image = paintMap(map, view, SCALE, 'light', 100, 10);
    expect(image.width).toBe(100);
    const top = [...lookUpTable('sequential', 'light').subarray(255 * 4, 255 * 4 + 3)];
    const bright = Array.from({ length: 100 }, (_, x) => x).filter((x) => pixel(image, x, 0).join() === top.join());
    expect(bright).toEqual([63]);
  });

  it('let the largest in size decide for signed values, with its sign', () => {
    const map: MapData = {
      values: Float32Array.from([0.1, -0.9, 0.2, 0.3]),
      rows: 1,
      columns: 4,
      rowStride: 4,
      columnStride: 1,
      offset: 0,
      computed: null,
    };
    const scale: MapScale = { kind: 'diverging', low: -0.9, high: 0.9, logarithmic: false };
    const image = paintMap(map, { columnStart: 0, columnEnd: 4, rowStart: 0, rowEnd: 1 }, scale, 'light', 1, 1);
    expect(pixel(image, 0, 0)).toEqual([...lookUpTable('diverging', 'light').subarray(0, 3)]);
  });

  it('paint only the window that is asked for', () => {
    const image = paintMap(MAP, { columnStart: 1, columnEnd: 2, rowStart: 0, rowEnd: 1 }, SCALE, 'light', 50, 50);
    expect([image.width, image.height]).toEqual([1, 1]);
    expect(pixel(image, 0, 0)).toEqual([...lookUpTable('sequential', 'light').subarray(128 * 4, 128 * 4 + 3)]);
  });
});
