import { describe, expect, it } from 'vitest';
import { meanFieldExponent } from '../../../src/core/diagnostics/critical-gain';
import { parameterSensitivity } from '../../../src/core/diagnostics/parameter-sensitivity';
import { makeRandom } from '../../../src/core/random';

describe('D13 meanFieldExponent', () => {
  it.each([
    [1.5, 0.0652],
    [2, 0.1547],
    [3, 0.3102],
  ])('of tanh at a gain of %d is %d', (gain, exponent) => {
    expect(meanFieldExponent(gain, { name: 'tanh' })).toBeCloseTo(exponent, 4);
  });

  it('below a gain of 1 is ln g, and 0 kernel is -Infinity', () => {
    expect(meanFieldExponent(0.9, { name: 'tanh' })).toBeCloseTo(Math.log(0.9), 6);
    expect(meanFieldExponent(0, { name: 'tanh' })).toBe(-Infinity);
  });

  it('is not defined where the variance grows without bound', () => {
    expect(meanFieldExponent(2, { name: 'linear' })).toBeNaN();
    expect(meanFieldExponent(NaN, { name: 'tanh' })).toBeNaN();
  });
});

describe('D26 parameterSensitivity', () => {
  it.each([
    [0, 1],
    [0.5, 2.963],
    [0.9, 263.9],
  ])('of w = %d is %d', (w, variance) => {
    expect(parameterSensitivity(w) / variance).toBeCloseTo(1, 3);
  });

  it('is the variance of dh/dw of a long run', () => {
    const random = makeRandom(7);
    let [h, derivative, squares] = [0, 0, 0];
    const steps = 400_000;
    for (let t = 0; t < steps; t++) {
      derivative = h + 0.5 * derivative;
      h = 0.5 * h + random.nextNormal();
      squares += derivative * derivative;
    }
    expect(squares / steps).toBeCloseTo(parameterSensitivity(0.5), 1);
  });

  it('is infinite from 1 on', () => {
    expect([parameterSensitivity(1), parameterSensitivity(-1.2)]).toEqual([Infinity, Infinity]);
  });
});
