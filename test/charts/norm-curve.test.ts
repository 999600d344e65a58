import { describe, expect, it } from 'vitest';
import {
  curveOverLags,
  curveOverSteps,
  fittedLine,
  growingCurveOverLags,
  lastStepOf,
  stretchesOf,
  thinnedPositions,
  type LogNorms,
} from '../../src/charts/norm-curve';

const DECADE = Math.LN10;

/** Log norms in decades, one row a sequence. */
function norms(rows: readonly (readonly number[])[], computed?: readonly number[]): LogNorms {
  const steps = rows[0]!.length;
  return {
    total: Float64Array.from(rows.flat(), (decades) => decades * DECADE),
    batch: rows.length,
    steps,
    computed: Uint8Array.from(computed ?? Array.from({ length: steps }, () => 1)),
  };
}

describe('curves of log norms', () => {
  it('average logs (the geometric mean) and keep the extremes', () => {
    const curve = curveOverSteps(
      norms([
        [0, -2],
        [-2, -4],
      ]),
      null,
    );
    expect([...curve.middle].map((value) => Number(value.toFixed(9)))).toEqual([-1, -3]);
    expect([...curve.low].map(Math.round)).toEqual([-2, -4]);
    expect([...curve.high].map(Math.round)).toEqual([0, -2]);
  });

  it('count lags backwards from the last step, or forwards for a backward recurrence', () => {
    const set = norms([[-3, -2, -1, 0]]);
    expect([...curveOverLags(set, 'forward', null, null).middle].map(Math.round)).toEqual([0, -1, -2, -3]);
    expect([...curveOverLags(set, 'backward', null, null).middle].map(Math.round)).toEqual([-3, -2, -1, 0]);
  });

  it('count lags of a padded sequence from its last valid step', () => {
    const mask = Uint8Array.from([1, 1, 0, 0]);
    const set = norms([[-1, 0, -Infinity, -Infinity]]);
    expect(lastStepOf(0, 4, 'forward', mask)).toBe(1);
    const curve = curveOverLags(set, 'forward', mask, null);
    expect([...curve.middle].map(Math.round)).toEqual([0, -1, Number.NaN, Number.NaN]);
    expect(curve.zeros).toEqual([]);
  });

  it('never average an exact zero in: it becomes a stretch of its own', () => {
    const curve = curveOverSteps(
      norms([
        [0, -1, -Infinity, -Infinity],
        [0, -1, -2, -Infinity],
      ]),
      null,
    );
    expect(curve.zeros).toEqual([{ start: 2, end: 4 }]);
    expect(curve.middle[2]).toBeCloseTo(-2, 9);
    expect(curve.middle[3]).toBeNaN();
    expect(curve.logMiddle[3]).toBe(-Infinity);
  });

  it('grow with what arrives to what they are when made at the end, padded sequences too', () => {
    const rows = [
      [-9, -1, 0, -Infinity, -3],
      [-2, Number.NaN, -4, -5, -Infinity],
    ];
    const mask = Uint8Array.from([1, 1, 1, 0, 0, 1, 1, 1, 1, 1]);
    const whole = curveOverLags(norms(rows), 'forward', mask, null);
    const arriving = norms(rows, [0, 0, 0, 0, 0]);
    const growing = growingCurveOverLags(arriving, 'forward', mask, null);
    for (const steps of [[4, 3], [], [0], [1, 2]]) {
      for (const step of steps) arriving.computed[step] = 1;
      expect(growing.update().middle[0]).toEqual(steps.includes(1) ? whole.middle[0] : expect.any(Number));
    }
    expect(growing.update()).toEqual(whole);
  });

  it('tell NaN from not computed', () => {
    const curve = curveOverSteps(norms([[0, Number.NaN, -1]], [1, 1, 0]), null);
    expect(curve.notFinite).toEqual([{ start: 1, end: 2 }]);
    expect(curve.middle[2]).toBeNaN();
    expect(curve.zeros).toEqual([]);
  });

  it('put the fitted line through the mean point of the lags it was fitted to', () => {
    const slope = -0.05;
    const rows = [Array.from({ length: 40 }, (_, lag) => (slope * lag + 0.3) / DECADE)];
    const curve = curveOverSteps(norms(rows), null);
    const line = fittedLine(curve, slope, 4)!;
    expect(line.valueAtStart * DECADE).toBeCloseTo(0.3, 9);
    expect(line.valueAtEnd * DECADE).toBeCloseTo(0.3 + slope * 39, 9);
    expect(fittedLine(curve, null, 4)).toBeNull();
    expect(fittedLine(curveOverSteps(norms([[0]]), null), slope, 0)).toBeNull();
  });

  it('find stretches at both ends', () => {
    expect(stretchesOf(Uint8Array.from([1, 0, 1, 1]))).toEqual([
      { start: 0, end: 1 },
      { start: 2, end: 4 },
    ]);
    expect(stretchesOf(new Uint8Array(0))).toEqual([]);
  });

  it('thin a long curve without losing a peak, a valley or an end', () => {
    const values = new Float64Array(100_000);
    values[31_415] = 9;
    values[27_182] = -9;
    const kept = thinnedPositions(values, 1000);
    expect(kept.length).toBeLessThan(1100);
    expect(kept).toContain(31_415);
    expect(kept).toContain(27_182);
    expect([kept[0], kept.at(-1)]).toEqual([0, 99_999]);
    expect([...kept]).toEqual([...kept].sort((a, b) => a - b));
  });
});
