import { beforeAll, describe, expect, it } from 'vitest';
import { makeReferenceCell } from '../../src/core/reference/reference-cell';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell, type CellRun } from '../../src/engine/cells/run-cell';
import type { Ops } from '../../src/engine/ops';
import { propagatePairs } from '../../src/engine/propagate/pairs';
import { spread } from '../../src/engine/propagate/pairs-direct';
import type { PairsPlan } from '../../src/engine/propagate/pairs-plan';
import { ALL_OPS } from './all-ops';
import { ALL_SOURCES, gatherPairs, largestGap, pairsByProducts, type PairsArrays } from './all-pairs';
import { makeCell, makeInput, trajectoryOf, type Case } from './random-cells';

const QUANTITIES = ['dh_dx', 'dc_dx', 'ds_ds', 'dh_ds0'] as const;
/** What float32 products carry over 30 steps; float64 is near exact. */
const TOLERANCE: Readonly<Record<string, number>> = { tensorflow: 1e-3, wasm: 1e-3, float64: 1e-9 };

const SCAN = { algorithm: 'scan', leafSteps: 4 } as const;
const BLOCKED = { algorithm: 'blocked', leafSteps: 5 } as const;

async function pairsOf(
  ops: Ops,
  wanted: Case,
  plan: PairsPlan | null = null,
): Promise<{ run: CellRun; arrays: PairsArrays }> {
  const { x, mask, initial } = makeInput(wanted);
  const cell = openCell(ops, makeCell(wanted));
  const { signal } = new AbortController();
  try {
    const run = await runCell(ops, cell, x, { direction: wanted.direction ?? 'forward', mask, initial, signal });
    const chunks = propagatePairs(ops, cell, run, ALL_SOURCES, signal, plan);
    return { run, arrays: await gatherPairs(chunks, wanted.batch, wanted.steps) };
  } finally {
    cell.dispose();
  }
}

const base = { units: 5, inputDim: 3, batch: 2, steps: 26 } as const;
const CASES: readonly (readonly [what: string, wanted: Case])[] = [
  ['SimpleRNN', { kind: 'SimpleRNN', ...base }],
  ['LSTM', { kind: 'LSTM', ...base }],
  ['GRU', { kind: 'GRU', ...base }],
  ['masked LSTM with an initial state', { kind: 'LSTM', ...base, masked: 0.4, initial: true }],
  ['masked GRU that runs backwards', { kind: 'GRU', ...base, masked: 0.3, direction: 'backward' }],
  ['backward LSTM', { kind: 'LSTM', ...base, direction: 'backward' }],
  ['LSTM with peepholes and a projection', { kind: 'LSTM', ...base, peepholes: true, projected: 3, batch: 1 }],
  ['GRU with reset before', { kind: 'GRU', ...base, resetAfter: false }],
  ['SimpleRNN with softmax', { kind: 'SimpleRNN', ...base, activation: { name: 'softmax' } }],
  ['LSTM with softmax', { kind: 'LSTM', ...base, activation: { name: 'softmax' } }],
  ['LSTM of one unit, one feature, one step', { kind: 'LSTM', units: 1, inputDim: 1, batch: 1, steps: 1 }],
  ['layer that loses five decades a step', { kind: 'SimpleRNN', ...base, gain: 1e-5 }],
  ['exploding relu network', { kind: 'SimpleRNN', ...base, gain: 30, activation: { name: 'relu' } }],
  ['dead relu network', { kind: 'SimpleRNN', ...base, activation: { name: 'relu' }, biasShift: -50 }],
  ['LSTM whose every step is masked', { kind: 'LSTM', ...base, masked: 2 }],
];

describe.each(ALL_OPS)('pairs on %s', (name, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });

  const ways = CASES.flatMap(([what, wanted]) => [
    [`${what}, pushed,`, wanted, null] as const,
    [`${what}, scanned,`, wanted, SCAN] as const,
    [`${what}, leaf by leaf,`, wanted, BLOCKED] as const,
  ]);
  it.each(ways)('of a %s are those of plain products', async (_, wanted, plan) => {
    const before = ops.tensorCount();
    const { run, arrays } = await pairsOf(ops, wanted, plan);
    expect(ops.tensorCount()).toBe(before);
    const cell = makeReferenceCell(makeCell(wanted));
    for (let b = 0; b < wanted.batch; b++) {
      const expected = pairsByProducts(cell, trajectoryOf(run, b));
      for (const quantity of QUANTITIES) {
        const gap = largestGap(arrays[quantity][b]!, expected[quantity]);
        expect(gap, `${quantity} of sequence ${String(b)}`).toBeLessThan(TOLERANCE[name]!);
      }
    }
  });
});

describe('the order of tiles', () => {
  it('has every tile once, and reaches both halves at once', () => {
    expect([...spread(11)].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(spread(8)).toEqual([0, 4, 2, 6, 1, 5, 3, 7]);
    expect(spread(1)).toEqual([0]);
    expect(spread(0)).toEqual([0].slice(1));
  });
});
