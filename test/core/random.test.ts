import { describe, expect, it } from 'vitest';
import { makeRandom } from '../../src/core/random';

/** The same generator in exact 64-bit integers. */
function exactSequence(seed: number, length: number): number[] {
  const multiplier = 6364136223846793005n;
  const increment = 1442695040888963407n;
  const mask = (1n << 64n) - 1n;
  let state = ((BigInt(seed) + increment) * multiplier + increment) & mask;
  return Array.from({ length }, () => {
    const old = state;
    state = (state * multiplier + increment) & mask;
    const xorshifted = Number((((old >> 18n) ^ old) >> 27n) & 0xffffffffn);
    const rotation = Number(old >> 59n);
    return ((xorshifted >>> rotation) | (xorshifted << (-rotation & 31))) >>> 0;
  });
}

describe('makeRandom', () => {
  it('keeps its first outputs for seed 42', () => {
    const random = makeRandom(42);
    expect([0, 1, 2, 3].map(() => random.nextUint32())).toEqual([3270867926, 1795671209, 1924641435, 1143034755]);
  });

  it.each([0, 1, 42, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER])('equals exact integer arithmetic for seed %s', (seed) => {
    const random = makeRandom(seed);
    const found = Array.from({ length: 2000 }, () => random.nextUint32());
    expect(found).toEqual(exactSequence(seed, 2000));
  });

  it('gives normals of mean 0 and variance 1', () => {
    const random = makeRandom(7);
    const count = 200_000;
    let sum = 0;
    let squares = 0;
    for (let index = 0; index < count; index++) {
      const value = random.nextNormal();
      sum += value;
      squares += value * value;
    }
    // Five standard errors: 5/sqrt(n) for the mean, 5*sqrt(2/n) for the variance.
    expect(Math.abs(sum / count)).toBeLessThan(5 / Math.sqrt(count));
    expect(Math.abs(squares / count - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
  });
});
