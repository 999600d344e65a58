import { describe, expect, it } from 'vitest';
import { mapChartOption, visiblePart, type MapChartInput } from '../../src/charts/map-chart';
import { GATE_SCALE, logScale, logScaleLabel, signedScale } from '../../src/charts/map-scale';
import { normChartOption, normReadOut, type NormChartInput } from '../../src/charts/norm-chart';
import { curveOverSteps } from '../../src/charts/norm-curve';
import { paletteOf } from '../../src/charts/palette';
import { saturationChartOption } from '../../src/charts/saturation-chart';
import { traceChartOption, traceReadOut, type TraceChartInput } from '../../src/charts/trace-chart';

/** An option as data: functions named, numbers rounded, typed arrays as arrays. */
function rounded(value: unknown): unknown {
  if (typeof value === 'function') return '(function)';
  if (typeof value === 'number') return Number.isNaN(value) ? 'NaN' : Number(value.toPrecision(6));
  if (ArrayBuffer.isView(value)) return rounded([...(value as unknown as Iterable<number>)]);
  if (Array.isArray(value)) return value.map(rounded);
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, rounded(entry)]));
  }
  return value;
}

const norms = (decades: readonly number[], batch = 1) => ({
  total: Float64Array.from(
    { length: decades.length * batch },
    (_, at) => (decades[at % decades.length]! + Math.floor(at / decades.length) / 4) * Math.LN10,
  ),
  batch,
  steps: decades.length,
  computed: new Uint8Array(decades.length).fill(1),
});

const palette = paletteOf('light');

function lagInput(decades: readonly number[]): NormChartInput {
  return {
    curves: [
      {
        label: 'h',
        colour: palette.hidden,
        curve: curveOverSteps(norms(decades, 2), null),
        showBand: true,
        fit: { start: 0, end: 4, valueAtStart: 0, valueAtEnd: -4 },
        mark: { position: 3, text: 'horizon of h 3' },
      },
    ],
    length: decades.length,
    xName: 'lag, timesteps',
    positionName: 'lag',
    selected: 2,
  };
}

interface Axis {
  readonly min: number;
  readonly max: number;
  readonly interval: number;
  readonly axisLabel: { readonly formatter: (value: number) => string };
}
type Series = {
  readonly id: string;
  readonly data: readonly number[][];
  readonly renderItem?: (...args: never[]) => unknown;
};
const yAxisOf = (option: Record<string, unknown>): Axis => option['yAxis'] as Axis;
const seriesOf = (option: Record<string, unknown>, id: string): Series | undefined =>
  (option['series'] as Series[]).find((series) => series.id === id);

describe('the chart of norms', () => {
  it.each([
    [3, 3],
    [3, 4],
    [0, 2],
    [4, 4],
  ])('labels marks at %d and %d without the two meeting, and inside the picture', (first, second) => {
    const input = lagInput([0, -1, -2, -3, -4]);
    const [curve] = input.curves;
    const marked = (label: string, position: number) => ({ ...curve!, label, mark: { position, text: label } });
    const option = normChartOption({ ...input, curves: [marked('h', first), marked('c', second)] }, palette);
    type Label = { distance: [number, number]; fontSize: number; align: string };
    const labelOf = (id: string): Label =>
      (seriesOf(option, id) as unknown as { markLine: { label: Label } }).markLine.label;
    const [h, c] = [labelOf('mark-h'), labelOf('mark-c')];
    expect(Math.abs(h.distance[1] - c.distance[1])).toBeGreaterThan(h.fontSize);
    const { top } = (option as unknown as { grid: { top: number } }).grid;
    for (const { distance, fontSize } of [h, c]) expect(distance[1] + fontSize).toBeLessThan(top);
    expect([h.align, c.align]).toEqual([first, second].map((at) => (at < 2.5 ? 'left' : 'right')));
  });

  it('has lines, band, fit and horizon, on an axis of whole decades', () => {
    expect(rounded(normChartOption(lagInput([0, -1, -2, -3, -4]), palette))).toMatchSnapshot();
  });

  it('labels decades, and exact zeros on a rail of their own below all of them', () => {
    const option = normChartOption(lagInput([0, -1, -2, -Infinity, -Infinity]), palette);
    const axis = yAxisOf(option);
    expect(axis.axisLabel.formatter(axis.min)).toBe('0');
    expect(axis.axisLabel.formatter(axis.min + axis.interval)).toBe('10⁻²');
    expect(seriesOf(option, 'zero-h')?.data).toEqual([[3, 4, axis.min]]);
  });

  it('puts NaN on another rail', () => {
    const option = normChartOption(lagInput([0, -1, -Infinity, Number.NaN, -3]), palette);
    const axis = yAxisOf(option);
    expect(axis.axisLabel.formatter(axis.min)).toBe('NaN');
    expect(axis.axisLabel.formatter(axis.min + axis.interval)).toBe('0');
    expect(seriesOf(option, 'nan-h')?.data).toEqual([[3, 3, axis.min]]);
  });

  it('labels few decades at half decades, as plain numbers', () => {
    const axis = yAxisOf(normChartOption(lagInput([0, 0.1, 0.2, 0.1, 0]), palette));
    expect(axis.interval).toBe(0.5);
    expect(axis.axisLabel.formatter(0.5)).toBe('3.2');
  });

  it('keeps at most about ten labels however far the norms fall', () => {
    const axis = yAxisOf(normChartOption(lagInput([0, -80, -160, -240, -310]), palette));
    expect((axis.max - axis.min) / axis.interval).toBeLessThanOrEqual(10);
    expect(axis.min).toBeLessThanOrEqual(-310);
  });

  it('reads out values behind a position, zero and gap told apart', () => {
    const input = lagInput([0, -1, -2, -Infinity, Number.NaN]);
    expect(normReadOut(input, 0.3)).toBe('lag 0\nh  1.33   (1.00 to 1.78)');
    expect(normReadOut(input, 3)).toBe('lag 3\nh  0 (exact)');
    expect(normReadOut(input, 4)).toBe('lag 4\nh  NaN');
    expect(normReadOut(input, 5)).toBeNull();
    input.curves[0]!.curve.logMiddle[2] = Number.NaN;
    expect(normReadOut(input, 2)).toBe('lag 2\nh  not computed');
  });

  it('thins ten thousand lags to what can be drawn', () => {
    const option = normChartOption(lagInput(Array.from({ length: 10_000 }, (_, lag) => -lag / 100)), palette);
    expect(seriesOf(option, 'line-h')!.data.length).toBeLessThan(4200);
  });
});

const mapInput = (overrides: Partial<MapChartInput> = {}): MapChartInput => ({
  rows: 4,
  columns: 10,
  xName: 'timestep t',
  yName: 'unit',
  scale: logScale({ low: -7, high: 0, hasZero: true, hasMissing: false, hasNotFinite: false }),
  range: { low: -7, high: 0, hasZero: true, hasMissing: false, hasNotFinite: false },
  scaleLabel: logScaleLabel,
  painter: (view) => ({ image: 'picture', view }),
  scalePainter: () => 'scale',
  selectedRow: 1,
  selectedColumn: null,
  ...overrides,
});

describe('the chart of a map', () => {
  it('has one image, a labelled scale and a legend of the colours that occur', () => {
    expect(rounded(mapChartOption(mapInput(), palette))).toMatchSnapshot();
  });

  it('asks its painter for the visible cells only, and draws them where they belong', () => {
    const asked: unknown[] = [];
    const option = mapChartOption(
      mapInput({ painter: (view, width, height) => (asked.push({ view, width, height }), { image: 'picture', view }) }),
      palette,
    );
    const { renderItem } = seriesOf(option, 'map')! as unknown as {
      renderItem: (
        parameters: unknown,
        api: unknown,
      ) => { children: { type: string; style: Record<string, unknown> }[] };
    };
    // Zoomed in: cells are 20 x 10 pixels, the plot shows 100 x 40 of them from (0, 0).
    const coord = ([x, y]: readonly [number, number]): [number, number] => [(x + 0.5) * 20 - 30, (y + 0.5) * 10];
    const group = renderItem({ coordSys: { x: 0, y: 0, width: 100, height: 40 } }, { coord });
    expect(asked).toEqual([{ view: { columnStart: 1, columnEnd: 7, rowStart: 0, rowEnd: 4 }, width: 120, height: 40 }]);
    expect(group.children[0]).toEqual({
      type: 'image',
      style: { image: 'picture', x: -10, y: 0, width: 120, height: 40 },
    });
    expect(group.children[1]!.type).toBe('rect');
  });

  it('draws nothing when nothing is visible', () => {
    const full = { x: -500, y: 0, width: 100, height: 100 };
    expect(visiblePart(full, { x: 0, y: 0, width: 100, height: 100 }, 4, 10)).toBeNull();
  });

  it('has scales that include a single value, and are symmetric when signed', () => {
    const range = { low: -3, high: -3, hasZero: false, hasMissing: false, hasNotFinite: false };
    expect(logScale(range).low).toBeLessThan(-3);
    expect(logScale(range).high).toBeGreaterThan(-3);
    expect(logScale({ ...range, low: null, high: null }).high).toBe(0);
    expect(signedScale({ ...range, low: -0.2, high: 0.5 })).toMatchObject({ low: -0.5, high: 0.5 });
    expect(signedScale({ ...range, low: 0, high: 0 })).toMatchObject({ low: -1, high: 1 });
    expect(GATE_SCALE).toMatchObject({ low: 0, high: 1 });
  });
});

describe('the other charts', () => {
  it('show traces of states above gates on one time axis', () => {
    const option = traceChartOption(
      {
        traces: [
          { name: 'h', values: Float64Array.from([0.1, 0.2]), colour: palette.hidden, plot: 'states' },
          { name: 'f', values: Float64Array.from([0.9, 0.8]), colour: '#8a5a9e', plot: 'gates' },
        ],
        steps: 2,
        selectedStep: 1,
      },
      palette,
    );
    expect(rounded(option)).toMatchSnapshot();
  });

  it('read out every trace at a timestep', () => {
    const input: TraceChartInput = {
      traces: [{ name: 'h', values: Float64Array.from([0.1, -0.25]), colour: '#000000', plot: 'states' }],
      steps: 2,
      selectedStep: null,
    };
    expect(traceReadOut(input, 1.2)).toBe('t 1\nh  −0.2500');
    expect(traceReadOut(input, 2)).toBeNull();
  });

  it('show one plot only where a cell has no gates', () => {
    const option = traceChartOption(
      {
        traces: [{ name: 'h', values: Float64Array.from([0]), colour: '#000000', plot: 'states' }],
        steps: 1,
        selectedStep: null,
      },
      palette,
    );
    expect(option['grid']).toHaveLength(1);
  });

  it('show saturation to both sides', () => {
    expect(rounded(saturationChartOption([{ gate: 'f', left: 0.002, right: 0.31 }], palette))).toMatchSnapshot();
  });

  it('draw their title only when a picture is exported', () => {
    const title = { title: 'A title', subtitle: 'and more' };
    expect(normChartOption(lagInput([0, -1, -2]), palette)).not.toHaveProperty('title');
    expect(normChartOption(lagInput([0, -1, -2]), palette, title)).toHaveProperty('title.text', 'A title');
    expect(mapChartOption(mapInput(), palette, title)).toHaveProperty('backgroundColor', palette.panel);
  });
});
