import { describe, expect, it } from 'vitest';
import { paintMap, paintSteps, type ColourImage } from '../../src/charts/colour-image';
import { rangeOf, type MapData, type MapWindow } from '../../src/charts/map-data';
import { mapChartOption } from '../../src/charts/map-chart';
import { decadeLabel, decadeScale } from '../../src/charts/map-scale';
import { paletteOf, rgbOf } from '../../src/charts/palette';

const LN10 = Math.LN10;

/** Two rows, two columns: a value and an exact zero above a cell not computed and another value. */
const MAP: MapData = {
  values: Float32Array.from([-1, 0, -Infinity, -3]),
  rows: 2,
  columns: 2,
  rowStride: 1,
  columnStride: 2,
  offset: 0,
  computed: null,
  classes: Uint8Array.from([2, 0, 1, 2]),
};
const WHOLE = { columnStart: 0, columnEnd: 2, rowStart: 0, rowEnd: 2 };

describe('the picture of all pairs', () => {
  it('has colours of their own for zero and for what is not computed', () => {
    const { scale } = decadeScale({ low: -3, high: -1, hasZero: true, hasMissing: true, hasNotFinite: false });
    const { pixels } = paintMap(MAP, WHOLE, scale, 'light', 2, 2);
    const at = (pixel: number): number[] => [...pixels.slice(4 * pixel, 4 * pixel + 3)];
    expect(at(1)).toEqual([...rgbOf(paletteOf('light').zero)]);
    expect(at(2)).toEqual([...rgbOf(paletteOf('light').missing)]);
    expect(at(0)).not.toEqual(at(3));
  });

  it('lets a computed cell stand for the ones beside it that are not', () => {
    const { scale } = decadeScale({ low: -3, high: -1, hasZero: true, hasMissing: true, hasNotFinite: false });
    const one = paintMap(MAP, { ...WHOLE, columnEnd: 1 }, scale, 'light', 1, 1).pixels;
    const value = paintMap(MAP, { ...WHOLE, columnEnd: 1, rowEnd: 1 }, scale, 'light', 1, 1).pixels;
    expect([...one]).toEqual([...value]);
  });

  it('is blank where nothing can be, and only there', () => {
    const { scale } = decadeScale({ low: -3, high: -1, hasZero: true, hasMissing: true, hasNotFinite: false });
    const map = { ...MAP, classes: Uint8Array.from([3, 3, 3, 2]) };
    const { pixels } = paintMap(map, WHOLE, scale, 'dark', 2, 2);
    expect([3, 7, 11, 15].map((at) => pixels[at])).toEqual([0, 0, 0, 255]);
    const narrow = paintMap(map, WHOLE, scale, 'dark', 1, 1).pixels;
    expect([...narrow]).toEqual([...pixels.slice(12)]);
  });

  it('is the same whether it is painted whole or piece by piece', () => {
    const [rows, columns, step] = [11, 13, 4];
    const values = Float32Array.from({ length: rows * columns }, (_, at) => Math.sin(at * 7.3) * 5);
    const classes = Uint8Array.from(values, (_, at) => [2, 2, 0, 1, 3][at % 5]!);
    const map: MapData = { ...MAP, values, classes, rows, columns, columnStride: rows };
    const scale = { kind: 'sequential', low: -5, high: 5, logarithmic: true } as const;
    const paint = (view: MapWindow): ColourImage => {
      const slices = paintSteps(map, view, scale, 'light', step);
      for (let next = slices.next(); ; next = slices.next()) if (next.done) return next.value;
    };
    const whole = paint({ columnStart: 0, columnEnd: columns, rowStart: 0, rowEnd: rows });
    expect([whole.width, whole.height]).toEqual([4, 3]);
    const piece = paint({ columnStart: 6, columnEnd: 13, rowStart: 5, rowEnd: 7 });
    expect([piece.width, piece.height]).toEqual([3, 1]);
    const row = whole.pixels.slice(4 * (whole.width + 1), 4 * 2 * whole.width);
    expect([...piece.pixels]).toEqual([...row]);
  });

  it('takes a range that is known', () => {
    const range = { low: -9, high: 4, hasZero: false, hasMissing: false, hasNotFinite: false };
    expect(rangeOf({ ...MAP, range }, true)).toBe(range);
  });

  it('is scaled in whole decades that the ticks divide', () => {
    const of = (low: number, high: number): number[] => {
      const range = { low: low * LN10, high: high * LN10, hasZero: false, hasMissing: false, hasNotFinite: false };
      const { scale, interval } = decadeScale(range);
      return [scale.low / LN10, scale.high / LN10, interval / LN10].map((value) => Math.round(value * 1e6) / 1e6 + 0);
    };
    expect(of(-3.4, 0.2)).toEqual([-4, 1, 1]);
    expect(of(-2.7, -1.6)).toEqual([-2.8, -1.6, 0.2]);
    expect(of(-2, -2)).toEqual([-2.05, -2, 0.05]);
    expect(of(-17.5, 0)).toEqual([-20, 0, 5]);
    expect(of(-320, 0.5)).toEqual([-400, 100, 100]);
    expect(decadeLabel(-2.5 * LN10)).toBe('3.2e−3');
    expect(decadeLabel(-3 * LN10)).toBe('10⁻³');
  });

  it('zooms with the wheel alone only where it is the one picture of its view', () => {
    const input = {
      rows: 2,
      columns: 2,
      xName: 's',
      yName: 't',
      ...{ scale: decadeScale(rangeOf(MAP, true)).scale, range: rangeOf(MAP, true), scaleLabel: decadeLabel },
      painter: () => null,
      scalePainter: () => null,
      selectedRow: null,
      selectedColumn: null,
    };
    const wheels = (isExplored: boolean): unknown =>
      (mapChartOption({ ...input, isExplored }, paletteOf('dark'))['dataZoom'] as { zoomOnMouseWheel: unknown }[]).map(
        ({ zoomOnMouseWheel }) => zoomOnMouseWheel,
      );
    expect(wheels(true)).toEqual([true, true]);
    expect(wheels(false)).toEqual(['ctrl', 'shift']);
  });
});
