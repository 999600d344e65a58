import { beforeAll, describe, expect, it } from 'vitest';
import { makeReferenceCell } from '../../src/core/reference/reference-cell';
import { runCell as runReference } from '../../src/core/reference/run-cell';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell } from '../../src/engine/cells/run-cell';
import type { Ops } from '../../src/engine/ops';
import { propagatePairBlocks } from '../../src/engine/propagate/pair-blocks';
import { propagatePairs } from '../../src/engine/propagate/pairs';
import { ReferenceRun } from '../../src/engine/reference-run';
import { blocksByProducts, gatherBlocks, largestBlockError, normOf } from './all-blocks';
import { ALL_OPS } from './all-ops';
import { gatherPairs, optionsFor } from './all-pairs';
import { makeCell, makeInput, trajectoryOf, type Case } from './random-cells';

const options = { signal: new AbortController().signal, chunkBytes: 2 ** 24 };
const base = { units: 5, inputDim: 3, batch: 2, steps: 22 } as const;
const CASES: readonly (readonly [what: string, wanted: Case])[] = [
  ['SimpleRNN', { kind: 'SimpleRNN', ...base }],
  ['LSTM', { kind: 'LSTM', ...base }],
  ['GRU', { kind: 'GRU', ...base }],
  ['masked LSTM with an initial state', { kind: 'LSTM', ...base, masked: 0.4, initial: true }],
  ['masked GRU that runs backwards', { kind: 'GRU', ...base, masked: 0.3, direction: 'backward' }],
  ['backward LSTM', { kind: 'LSTM', ...base, direction: 'backward' }],
  ['LSTM with a projection', { kind: 'LSTM', ...base, projected: 3 }],
  ['LSTM whose output gate is nearly shut', { kind: 'LSTM', ...base, gain: 0.01, biasShift: -40 }],
  ['layer that loses five decades a step', { kind: 'SimpleRNN', ...base, gain: 1e-5 }],
  ['exploding relu network', { kind: 'SimpleRNN', ...base, gain: 30, activation: { name: 'relu' } }],
  ['dead relu network', { kind: 'SimpleRNN', ...base, activation: { name: 'relu' }, biasShift: -50 }],
  ['LSTM whose every step is masked', { kind: 'LSTM', ...base, masked: 2 }],
];

describe.each(ALL_OPS)('whole blocks of pairs on %s', (_engine, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });

  // Small tiles: several of them even in a short sequence.
  const ways = CASES.flatMap(([what, wanted]) => [
    [what, wanted, options.chunkBytes] as const,
    [`${what}, in small tiles,`, wanted, 4 * 10 * 3 * 4] as const,
  ]);
  it.each(ways)('of a %s are those of plain products', async (_, wanted, chunkBytes) => {
    const before = ops.tensorCount();
    const cell = openCell(ops, makeCell(wanted));
    const { x, mask, initial } = makeInput(wanted);
    const { signal } = options;
    const run = await runCell(ops, cell, x, { direction: wanted.direction ?? 'forward', mask, initial, signal });
    const given = await gatherBlocks(propagatePairBlocks(ops, cell, run, { signal, chunkBytes }), wanted.batch);
    const norms = await gatherPairs(propagatePairs(ops, cell, run, optionsFor(['input'])), wanted.batch, wanted.steps);
    cell.dispose();
    expect(ops.tensorCount()).toBe(before);
    const reference = makeReferenceCell(makeCell(wanted));
    given.forEach(({ h, c }, b) => {
      const expected = blocksByProducts(reference, trajectoryOf(run, b));
      expect(largestBlockError(h, expected.h), `h of sequence ${String(b)}`).toBeLessThan(1e-4);
      expect(largestBlockError(c, expected.c), `c of sequence ${String(b)}`).toBeLessThan(1e-4);
      for (const [blocks, quantity] of [[h, 'dh_dx'] as const, [c, 'dc_dx'] as const]) {
        norms[quantity][b]!.forEach((norm, at) => {
          const block = blocks.get(`${String(Math.floor(at / wanted.steps))}:${String(at % wanted.steps)}`);
          if (block) expect(normOf(block)).toBeCloseTo(norm, 4);
          else expect(norm).toBe(-Infinity);
        });
      }
    });
  });
});

describe('whole blocks of pairs of the reference engine', () => {
  it.each(CASES)('of a %s are those of plain products', async (_, wanted) => {
    const { x, mask, initial } = makeInput(wanted);
    const direction = wanted.direction ?? 'forward';
    const cell = makeReferenceCell(makeCell(wanted));
    const { steps, inputDim, batch } = wanted;
    const trajectories = Array.from({ length: batch }, (_, b) => {
      const row = (data: ArrayLike<number>, width: number): Float64Array =>
        Float64Array.from({ length: width }, (_, at) => data[b * width + at]!);
      return runReference(cell, row(x.data, steps * inputDim), {
        direction,
        mask: mask?.slice(b * steps, (b + 1) * steps) ?? null,
        ...(initial && {
          initial: { h: row(initial.h0.data, cell.hiddenSize), c: initial.c0 && row(initial.c0.data, cell.units) },
        }),
      });
    });
    const run = new ReferenceRun([{ direction, cell, trajectories }]);
    const given = await gatherBlocks(run.pairBlocks(direction, options), batch);
    given.forEach(({ h, c }, b) => {
      const expected = blocksByProducts(cell, trajectories[b]!);
      expect(largestBlockError(h, expected.h)).toBeLessThan(1e-10);
      expect(largestBlockError(c, expected.c)).toBeLessThan(1e-10);
    });
  });
});
