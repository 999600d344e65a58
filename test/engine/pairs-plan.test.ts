import { describe, expect, it } from 'vitest';
import { benchCell } from '../../src/cli/bench/bench-model';
import type { CellKind } from '../../src/core/model';
import { cellSizes } from '../../src/engine/cells/cell-sizes';
import { pairsBytes, planPairs, type PairsSizes } from '../../src/engine/propagate/pairs-plan';

function sizesOf(kind: CellKind, units: number, inputDim: number, steps: number): PairsSizes {
  const options = { steps, isNative: true, isExact: false, chunkBytes: 2 ** 24 };
  return { ...cellSizes(benchCell(units, inputDim, kind)), ...options };
}

describe('the way of all pairs', () => {
  it('of a small layer is pushing: everything else has more operations', () => {
    expect(planPairs(sizesOf('GRU', 64, 16, 100), 'input').algorithm).toBe('direct');
    expect(planPairs(sizesOf('LSTM', 8, 4, 50), 'state').algorithm).toBe('direct');
  });

  it('of narrow sources and long runs and of whole states goes by segments of segments', () => {
    expect(planPairs(sizesOf('LSTM', 256, 64, 1024), 'input').algorithm).toBe('blocked');
    expect(planPairs(sizesOf('SimpleRNN', 256, 64, 1000), 'state').segments.length).toBeGreaterThan(1);
  });

  it('has no basis where none is wanted, and none without the native engine', () => {
    const sizes = sizesOf('LSTM', 256, 8, 4096);
    expect(planPairs(sizes, 'input').isAdaptive).toBe(true);
    expect(planPairs({ ...sizes, steps: 1024 }, 'input').isAdaptive).toBe(false);
    expect(planPairs({ ...sizes, isExact: true }, 'input').isAdaptive).toBe(false);
    expect(planPairs({ ...sizes, isNative: false }, 'input').isAdaptive).toBe(false);
  });

  it.each([
    ['a wide layer', sizesOf('LSTM', 1024, 64, 4000), 'state'],
    ['a long run', sizesOf('LSTM', 256, 64, 200_000), 'input'],
  ] as const)('of %s holds no more than its share, and less where less is allowed', (_, sizes, source) => {
    const plan = planPairs(sizes, source);
    expect(pairsBytes(sizes, source, plan)).toBeLessThanOrEqual(2 ** 31);
    const tight = { ...sizes, chunkBytes: 2 ** 10 };
    expect(planPairs(tight, source).algorithm).toBe('direct');
  });
});
