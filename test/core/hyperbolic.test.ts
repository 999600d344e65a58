import { describe, expect, it } from 'vitest';
import { tanh } from '../../src/core/activations/hyperbolic';
import { makeRandom } from '../../src/core/random';

describe('tanh', () => {
  it('agrees with the library within two last bits, from 1e-300 to saturation', () => {
    const random = makeRandom(1);
    for (let count = 0; count < 20_000; count++) {
      const a = random.nextNormal() * 10 ** (3 - 12 * random.nextUniform());
      expect(Math.abs(tanh(a) - Math.tanh(a))).toBeLessThanOrEqual(4.5e-16 * Math.abs(Math.tanh(a)));
    }
    expect(tanh(1e-300)).toBe(1e-300);
  });

  it('keeps signs, NaN and the ends', () => {
    expect([tanh(0), tanh(-0), tanh(Infinity), tanh(-Infinity), tanh(NaN)]).toEqual([0, -0, 1, -1, NaN]);
    expect(tanh(-0.3)).toBe(-tanh(0.3));
  });

  it('has the bits that every JavaScript engine gives', () => {
    expect([0.1, 0.7, 1.9, 5.5].map(tanh)).toEqual(EXPECTED);
  });
});

/** By Node 20.20 and Electron 42 alike. */
const EXPECTED = [0.09966799462495582, 0.6043677771171636, 0.956237458127739, 0.9999665971563036];
