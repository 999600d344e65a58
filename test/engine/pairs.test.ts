import type { SimpleRnnCell } from '../../src/core/model';
import { makeTensor } from '../../src/core/tensor';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeReferenceCell } from '../../src/core/reference/reference-cell';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell, type CellRun } from '../../src/engine/cells/run-cell';
import type { Ops } from '../../src/engine/ops';
import { propagatePairs } from '../../src/engine/propagate/pairs';
import { spread } from '../../src/engine/propagate/pairs-direct';
import type { PairsPlan } from '../../src/engine/propagate/pairs-plan';
import { ALL_OPS, HAS_NATIVE, noise } from './all-ops';
import {
  ALL_SOURCES,
  gatherPairs,
  optionsFor,
  largestGap,
  pairsByProducts,
  referencePairs,
  type PairsArrays,
} from './all-pairs';
import { makeCell, makeInput, trajectoryOf, type Case } from './random-cells';

const QUANTITIES = ['dh_dx', 'dc_dx', 'ds_ds', 'dh_ds0'] as const;
/** What float32 products carry over 30 steps; float64 is near exact. */
const TOLERANCE: Readonly<Record<string, number>> = { tensorflow: 1e-3, wasm: 1e-3, float64: 1e-9 };

const SEGMENTS = { algorithm: 'blocked', segments: [2, 4, 16], isAdaptive: false } as const;
const BLOCKED = { algorithm: 'blocked', segments: [5], isAdaptive: false } as const;

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
    const chunks = propagatePairs(ops, cell, run, optionsFor(ALL_SOURCES), plan);
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
    [`${what}, in segments of segments,`, wanted, SEGMENTS] as const,
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

describe.runIf(HAS_NATIVE)('sources in a basis of the rank that they have', () => {
  const plan = { algorithm: 'blocked', segments: [8], isAdaptive: true } as const;
  const direct = { algorithm: 'direct', segments: [], isAdaptive: false } as const;
  const [, makeNative] = ALL_OPS[0]!;
  const wide = { units: 56, inputDim: 5, batch: 1, steps: 100 } as const;
  const models: readonly (readonly [what: string, wanted: Case])[] = [
    ['contracting LSTM', { kind: 'LSTM', ...wide, gain: 0.7 }],
    ['LSTM that remembers', { kind: 'LSTM', ...wide, gain: 0.6, biasShift: 2 }],
    ['chaotic network', { kind: 'SimpleRNN', ...wide, units: 90, gain: 1.6 }],
    ['GRU', { kind: 'GRU', ...wide }],
    ['masked LSTM', { kind: 'LSTM', ...wide, masked: 0.2 }],
  ];
  it.each(models)('give the norms of a %s', async (_, wanted) => {
    const ops = await makeNative();
    const before = ops.tensorCount();
    const { run, arrays } = await pairsOf(ops, wanted, plan);
    const cell = makeReferenceCell(makeCell(wanted));
    const expected = await gatherPairs(referencePairs(cell, trajectoryOf(run, 0)), 1, wanted.steps);
    for (const quantity of ['dh_dx', 'dc_dx', 'dh_ds0'] as const) {
      expect(largestGap(arrays[quantity][0]!, expected[quantity][0]!), quantity).toBeLessThan(1e-3);
    }
    expect(ops.tensorCount()).toBe(before);
  });

  it('are computed anew where a fast half hides a slow half at first', async () => {
    const ops = await makeNative();
    const description = hidingCell(80, 10, 24);
    const cell = openCell(ops, description);
    const { signal } = new AbortController();
    const x = makeTensor([1, 120, 24], noise(120 * 24, 3));
    const run = await runCell(ops, cell, x, { direction: 'forward', mask: null, initial: null, signal });
    const options = optionsFor(['input']);
    const given = await gatherPairs(propagatePairs(ops, cell, run, options, plan), 1, 120);
    const expected = await gatherPairs(propagatePairs(ops, cell, run, optionsFor(['input']), direct), 1, 120);
    cell.dispose();
    expect(options.report.redone).toBeGreaterThan(0);
    expect(largestGap(given.dh_dx[0]!, expected.dh_dx[0]!)).toBeLessThan(1e-3);
    // Without the probes the slow half would be lost: its part of the norm is all that is left.
    const late = given.dh_dx[0]![119 * 120]!;
    expect(late).toBeCloseTo(119 * Math.log(0.99) + Math.log(1e-12) + 0.5 * Math.log(70 * 24), 1);
  });
});

/** A linear network of two halves that do not meet: a fast one, and a slow one that hears its input 1e12 times weaker. */
function hidingCell(units: number, fast: number, inputDim: number): SimpleRnnCell {
  const kernel = makeTensor(
    [inputDim, units],
    noise(inputDim * units, 5).map((value, at) => Math.sign(value) * (at % units < fast ? 1 : 1e-12)),
  );
  const recurrent = new Float32Array(units * units);
  for (let u = 0; u < units; u++) recurrent[u * units + u] = u < fast ? 0.5 : 0.99;
  const recurrentKernel = makeTensor([units, units], recurrent);
  return {
    kind: 'SimpleRNN',
    units,
    inputDim,
    kernel,
    recurrentKernel,
    bias: null,
    activation: { name: 'linear' },
    clip: null,
  };
}
