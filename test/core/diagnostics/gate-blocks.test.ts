import { describe, expect, it } from 'vitest';
import { columnBlocks, eachColumnBlock } from '../../../src/core/diagnostics/gate-blocks';

const NAMES = ['i', 'f', 'g', 'o'];
const VALUES = Array.from({ length: 24 }, (_, at) => at / 3);

describe('eachColumnBlock', () => {
  it.each([Float32Array, Float64Array])('lends one memory for all blocks, in the numbers of the tensor: %o', (Kind) => {
    const buffers = new Set<ArrayBufferLike>();
    for (const { data } of eachColumnBlock({ shape: [3, 8], data: Kind.from(VALUES) }, NAMES)) {
      expect(data).toBeInstanceOf(Kind);
      buffers.add(data.buffer);
    }
    expect(buffers.size).toBe(1);
  });
});

describe('columnBlocks', () => {
  it('gives every block numbers of its own', () => {
    const blocks = columnBlocks({ shape: [3, 8], data: Float64Array.from(VALUES) }, NAMES);
    const expected = NAMES.map((_, k) =>
      [0, 1, 2].flatMap((row) => [VALUES[8 * row + 2 * k], VALUES[8 * row + 2 * k + 1]]),
    );
    expect(blocks.map(({ data }) => [...data])).toEqual(expected);
  });
});
