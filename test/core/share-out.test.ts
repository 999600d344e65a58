import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checksumOf } from '../../src/core/checksum';
import { shareOf } from '../../src/core/share-out';

const shares = (costs: readonly number[], count: number): readonly (readonly [number, number])[] =>
  Array.from({ length: count }, (_, index) => {
    const { first, end } = shareOf(costs, index, count);
    return [first, end] as const;
  });

describe('shares of a list of costs', () => {
  it('are of about the same cost', () => {
    expect(shares([1, 1, 1, 1, 1, 1], 3)).toEqual([
      [0, 2],
      [2, 4],
      [4, 6],
    ]);
    // The first piece costs as much as all others.
    expect(shares([4, 1, 1, 1, 1], 2)).toEqual([
      [0, 1],
      [1, 5],
    ]);
  });

  it('leave some empty only where there are fewer pieces', () => {
    expect(shares([1, 1], 4).map(([first, end]) => end - first)).toEqual([1, 1, 0, 0]);
    expect(shares([100, 1, 1], 3).map(([first, end]) => end - first)).toEqual([1, 1, 1]);
    expect(shares([0, 0, 0], 3).map(([first, end]) => end - first)).toEqual([1, 1, 1]);
    expect(shares([], 2)).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it('cover the list once, whatever the costs', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000)), fc.integer({ min: 1, max: 12 }), (costs, count) => {
        const cuts = shares(costs, count);
        cuts.forEach(([first, end], at) => {
          expect(first).toBe(at === 0 ? 0 : cuts[at - 1]![1]);
          expect(end).toBeGreaterThanOrEqual(first);
          if (count <= costs.length) expect(end).toBeGreaterThan(first);
        });
        expect(cuts.at(-1)![1]).toBe(costs.length);
      }),
    );
  });
});

describe('a checksum', () => {
  it('follows from every bit, from the order and from the lengths', () => {
    const base = checksumOf([Float32Array.of(1, 2), Float32Array.of(3)]);
    expect(base).toMatch(/^[0-9a-f]{16}$/);
    expect(checksumOf([Float32Array.of(1, 2), Float32Array.of(3)])).toBe(base);
    const others = [
      [Float32Array.of(1, 2 + 2 ** -22), Float32Array.of(3)],
      [Float32Array.of(2, 1), Float32Array.of(3)],
      [Float32Array.of(1), Float32Array.of(2, 3)],
      [Float32Array.of(-1, 2), Float32Array.of(3)],
      [Float64Array.of(1, 2), Float64Array.of(3)],
    ];
    for (const other of others) expect(checksumOf(other)).not.toBe(base);
  });
});
