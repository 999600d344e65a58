import { beforeAll, describe, expect, it } from 'vitest';
import type { SimpleRnnCell } from '../../src/core/model';
import { makeReferenceCell } from '../../src/core/reference/reference-cell';
import { makeTensor } from '../../src/core/tensor';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell, type CellRun } from '../../src/engine/cells/run-cell';
import type { BlockSource, StoredBlock } from '../../src/engine/engine';
import type { Ops } from '../../src/engine/ops';
import { openBlockSource } from '../../src/engine/propagate/block-source';
import { ReferenceRun } from '../../src/engine/reference-run';
import { blockError, blocksByProducts, statesByProducts, type ShiftedBlock } from './all-blocks';
import { ALL_OPS, noise } from './all-ops';
import { makeCell, makeInput, trajectoryOf, type Case } from './random-cells';

const { signal } = new AbortController();
const LARGE = 2 ** 30;
// Three segments and a rest.
const base = { units: 4, inputDim: 2, batch: 1, steps: 210 } as const;
const CASES: readonly (readonly [what: string, wanted: Case])[] = [
  ['SimpleRNN', { kind: 'SimpleRNN', ...base, gain: 1.2 }],
  ['LSTM', { kind: 'LSTM', ...base }],
  ['GRU', { kind: 'GRU', ...base }],
  ['masked LSTM with an initial state', { kind: 'LSTM', ...base, batch: 2, masked: 0.2, initial: true }],
  ['masked GRU that runs backwards', { kind: 'GRU', ...base, masked: 0.2, direction: 'backward' }],
  ['backward LSTM', { kind: 'LSTM', ...base, direction: 'backward' }],
  ['LSTM with a projection', { kind: 'LSTM', ...base, projected: 3 }],
  ['layer that loses two decades a step', { kind: 'SimpleRNN', ...base, gain: 1e-2 }],
  ['exploding relu network', { kind: 'SimpleRNN', ...base, gain: 30, activation: { name: 'relu' } }],
];
const PAIRS = [
  [209, 0],
  [0, 209],
  [209, 209],
  [150, 149],
  [128, 63],
  [191, 64],
  [200, 3],
  [3, 200],
  [70, 60],
  [60, 70],
] as const;

const sources = [...new Set(PAIRS.map(([, source]) => source))];

async function openRun(ops: Ops, wanted: Case): Promise<{ run: CellRun; cell: ReturnType<typeof openCell> }> {
  const cell = openCell(ops, makeCell(wanted));
  const { x, mask, initial } = makeInput(wanted);
  return {
    cell,
    run: await runCell(ops, cell, x, { direction: wanted.direction ?? 'forward', mask, initial, signal }),
  };
}

function shifted(block: StoredBlock): ShiftedBlock | undefined {
  if (block.logNorm === -Infinity) {
    expect(block.data.every((value) => value === 0)).toBe(true);
    return undefined;
  }
  return { values: Float64Array.from(block.data), shift: block.scale * Math.LN2 };
}

/** Compares blocks of some pairs with plain products. */
async function expectBlocks(source: BlockSource, wanted: Case, run: CellRun, tolerance: number): Promise<void> {
  const cell = makeReferenceCell(makeCell(wanted));
  for (let sequence = 0; sequence < wanted.batch; sequence++) {
    const trajectory = trajectoryOf(run, sequence);
    const { h, c } = blocksByProducts(cell, trajectory, sources);
    const states = statesByProducts(cell, trajectory, sources);
    for (const [target, from] of PAIRS) {
      const given = await source.block({ sequence, target, source: from, hasState: true }, signal);
      const key = `${String(target)}:${String(from)}`;
      const what = `${key} of sequence ${String(sequence)}`;
      expect(blockError(shifted(given.h), h.get(key)), `h ${what}`).toBeLessThan(tolerance);
      if (given.c) expect(blockError(shifted(given.c), c.get(key)), `c ${what}`).toBeLessThan(tolerance);
      expect(blockError(shifted(given.state!), states.get(key)), `state ${what}`).toBeLessThan(tolerance);
    }
  }
}

describe.each(ALL_OPS)('blocks on demand on %s', (_engine, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });

  it.each(CASES)('of a %s are those of plain products, with kept products and without', async (_, wanted) => {
    const before = ops.tensorCount();
    const { cell, run } = await openRun(ops, wanted);
    const source = openBlockSource(ops, cell, run, LARGE);
    await expectBlocks(source, wanted, run, 2e-4);
    expect(source.keptBytes).toBe(0);
    await source.prepare(signal);
    expect(source.keptBytes).toBeGreaterThan(0);
    await expectBlocks(source, wanted, run, 2e-4);
    source.dispose();
    expect(source.keptBytes).toBe(0);
    cell.dispose();
    expect(ops.tensorCount()).toBe(before);
  });

  it('keep a direction that shrinks beside one that does not', async () => {
    const cell = openCell(ops, halves());
    const x = makeTensor([1, 210, 2], noise(420, 3));
    const run = await runCell(ops, cell, x, { direction: 'forward', mask: null, initial: null, signal });
    const source = openBlockSource(ops, cell, run, LARGE);
    await source.prepare(signal);
    const { h } = await source.block({ sequence: 0, target: 209, source: 0, hasState: false }, signal);
    source.dispose();
    cell.dispose();
    // Both features reach the fast half alone: 0.01 a step.
    expect(h.logNorm).toBeCloseTo(209 * Math.log(0.01) + 0.5 * Math.log(4), 2);
  });

  it('take no more than they may, in longer segments', async () => {
    const wanted: Case = { kind: 'GRU', ...base };
    const { cell, run } = await openRun(ops, wanted);
    const source = openBlockSource(ops, cell, run, 2 * 4 ** 2 * 8);
    await source.prepare(signal);
    expect(source.keptBytes).toBeGreaterThan(0);
    expect(source.keptBytes).toBeLessThanOrEqual(2 * 4 ** 2 * 8);
    await expectBlocks(source, wanted, run, 2e-4);
    source.dispose();
    cell.dispose();
  });

  it('go on where making the products was ended', async () => {
    const wanted: Case = { kind: 'LSTM', ...base };
    const before = ops.tensorCount();
    const { cell, run } = await openRun(ops, wanted);
    const source = openBlockSource(ops, cell, run, LARGE);
    // Past the first segment, within the second.
    let left = 100;
    const ending = { throwIfAborted: () => expect(left--, 'ended').toBeGreaterThan(0) } as AbortSignal;
    await expect(source.prepare(ending)).rejects.toThrow('ended');
    const first = source.keptBytes;
    expect(first).toBeGreaterThan(0);
    await source.prepare(signal);
    expect(source.keptBytes).toBe(3 * first);
    await expectBlocks(source, wanted, run, 2e-4);
    source.dispose();
    cell.dispose();
    expect(ops.tensorCount()).toBe(before);
  });
});

describe('blocks on demand of the reference engine', () => {
  it.each(CASES)('of a %s are those of plain products', async (_, wanted) => {
    const [, make] = ALL_OPS.at(-1)!;
    const { cell: opened, run } = await openRun(await make(), wanted);
    const { direction } = run;
    const cell = makeReferenceCell(makeCell(wanted));
    const trajectories = Array.from({ length: wanted.batch }, (__, b) => ({ ...trajectoryOf(run, b), gates: {} }));
    const gated = trajectories.map((trajectory) => {
      return {
        ...trajectory,
        gates: Object.fromEntries(Object.keys(run.gates).map((name) => [name, new Float64Array()])),
      };
    });
    const source = new ReferenceRun([{ direction, cell, trajectories: gated }]).openBlocks(direction);
    await expectBlocks(source, wanted, run, 1e-10);
    opened.dispose();
  });
});

/** A linear network of two halves that do not meet: the input reaches the fast one alone. */
function halves(): SimpleRnnCell {
  const recurrent = new Float32Array(16);
  [0.01, 0.01, 0.999, 0.999].forEach((value, u) => (recurrent[u * 5] = value));
  return {
    kind: 'SimpleRNN',
    units: 4,
    inputDim: 2,
    kernel: makeTensor([2, 4], Float32Array.from([1, -1, 0, 0, 1, 1, 0, 0])),
    recurrentKernel: makeTensor([4, 4], recurrent),
    bias: null,
    activation: { name: 'linear' },
    clip: null,
  };
}
