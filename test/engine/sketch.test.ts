import { beforeAll, describe, expect, it } from 'vitest';
import { sketchBand, sketchMatrix } from '../../src/core/sketch';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell } from '../../src/engine/cells/run-cell';
import type { Ops } from '../../src/engine/ops';
import { propagatePairs } from '../../src/engine/propagate/pairs';
import { directTiles } from '../../src/engine/propagate/pairs-direct';
import { cellSizes } from '../../src/engine/cells/cell-sizes';
import { validSteps } from '../../src/engine/cells/valid-steps';
import { ALL_OPS } from './all-ops';
import { ALL_SOURCES, gatherPairs, largestGap, optionsFor, type PairsArrays } from './all-pairs';
import { makeCell, makeInput, type Case } from './random-cells';

async function pairsOf(ops: Ops, wanted: Case, sketch?: number): Promise<{ arrays: PairsArrays; ways: object }> {
  const { x, mask, initial } = makeInput(wanted);
  const cell = openCell(ops, makeCell(wanted));
  const options = optionsFor(ALL_SOURCES);
  try {
    const { signal } = options;
    const run = await runCell(ops, cell, x, { direction: wanted.direction ?? 'forward', mask, initial, signal });
    const chunks = propagatePairs(ops, cell, run, sketch === undefined ? options : { ...options, sketch });
    return { arrays: await gatherPairs(chunks, wanted.batch, wanted.steps), ways: options.report.ways };
  } finally {
    cell.dispose();
  }
}

describe('the matrix of a sketch', () => {
  it.each([
    [64, 8],
    [12, 12],
    [500, 3],
  ])('of %i columns has %i orthogonal directions of the right length', (size, columns) => {
    const matrix = sketchMatrix(size, columns, 5);
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) {
        let dot = 0;
        for (let row = 0; row < size; row++) dot += matrix[row * columns + i]! * matrix[row * columns + j]!;
        expect(dot).toBeCloseTo(i === j ? size / columns : 0, 10);
      }
    }
  });

  it('has a band that holds 95 of 100 estimates of a matrix of rank one', () => {
    const [low, high] = sketchBand(8);
    let inside = 0;
    for (let seed = 0; seed < 400; seed++) {
      const first = sketchMatrix(64, 8, seed).subarray(0, 8);
      const log = 0.5 * Math.log(first.reduce((sum, value) => sum + value * value, 0));
      if (log >= low && log <= high) inside++;
    }
    expect(inside).toBeGreaterThan(0.94 * 400);
    expect(high - low).toBeLessThan(1.1);
  });

  it('gets narrower with more directions', () => {
    const widths = [2, 4, 8, 16, 32].map((columns) => {
      const [low, high] = sketchBand(columns);
      return high - low;
    });
    widths.forEach((width, at) => expect(width).toBeLessThan(widths[at - 1] ?? Infinity));
  });
});

describe('the tiles of a sketch', () => {
  it('have sources from all of the run each, and every one once', () => {
    const sizes = cellSizes(makeCell({ kind: 'LSTM', units: 1024, inputDim: 64, batch: 1, steps: 1000 }));
    const tiles = directTiles(sizes, 1, validSteps('forward', 1, 1000, null), 'input', 8);
    const sources = tiles.flatMap(({ lanes, sources: count, stride }) =>
      Array.from({ length: count }, (_, k) => lanes[0]!.first + k * stride).filter((step) => step < 1000),
    );
    expect(tiles.length).toBeGreaterThan(1);
    expect(sources.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, step) => step));
    expect(tiles[0]!.sources * tiles[0]!.stride).toBeGreaterThan(900);
  });
});

describe.each(ALL_OPS)('pairs from a sketch on %s', (_, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });

  it.each([
    ['LSTM', { kind: 'LSTM', units: 20, inputDim: 24, batch: 2, steps: 40 }],
    [
      'GRU, backward and masked',
      { kind: 'GRU', units: 20, inputDim: 24, batch: 1, steps: 40, masked: 0.2, direction: 'backward' },
    ],
  ] as const)('of a %s lie in their band around the exact ones', async (__, wanted) => {
    const sketch = 6;
    const exact = await pairsOf(ops, wanted);
    const before = ops.tensorCount();
    const { arrays, ways } = await pairsOf(ops, wanted, sketch);
    expect(ops.tensorCount()).toBe(before);
    expect(ways).toEqual({ input: 'sketch', initial: 'sketch', state: 'sketch' });
    const [low, high] = sketchBand(sketch);
    for (const quantity of ['dh_dx', 'ds_ds', 'dh_ds0'] as const) {
      let inside = 0;
      let all = 0;
      let off = 0;
      arrays[quantity].forEach((list, b) => {
        list.forEach((value, at) => {
          const truth = exact.arrays[quantity][b]![at]!;
          // Zeros are zeros, and the others are not.
          expect(value === -Infinity).toBe(truth === -Infinity);
          if (truth === -Infinity) return;
          all++;
          off = Math.max(off, Math.abs(value - truth));
          if (value - truth >= low && value - truth <= high) inside++;
        });
      });
      expect(inside / all, quantity).toBeGreaterThan(0.9);
      // An estimate, not the exact value.
      expect(off).toBeGreaterThan(1e-3);
    }
  });

  it('are exact where a source has no more columns than that', async () => {
    const wanted = { kind: 'SimpleRNN', units: 7, inputDim: 3, batch: 1, steps: 20 } as const;
    const exact = await pairsOf(ops, wanted);
    const { arrays, ways } = await pairsOf(ops, wanted, 5);
    expect(ways).toMatchObject({ input: 'direct', state: 'sketch' });
    expect(largestGap(arrays.dh_dx[0]!, exact.arrays.dh_dx[0]!)).toBeLessThan(1e-5);
  });
});
