/** Pairs in parts: what the tiles give one apart from the other is what they give together, bit for bit. */
import { beforeAll, describe, expect, it } from 'vitest';
import { shareOf } from '../../src/core/share-out';
import type { PairsChunk } from '../../src/core/jacobian';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell } from '../../src/engine/cells/run-cell';
import { validSteps } from '../../src/engine/cells/valid-steps';
import { emptyPairsReport, type PairsPart } from '../../src/engine/engine';
import type { Ops } from '../../src/engine/ops';
import { Pace } from '../../src/engine/pace';
import { chooseArithmetic } from '../../src/engine/propagate/arithmetic';
import { pairsBlocked } from '../../src/engine/propagate/pairs-blocked';
import { pairsTiles, propagatePairs } from '../../src/engine/propagate/pairs';
import type { PairsPlan } from '../../src/engine/propagate/pairs-plan';
import { ReferenceEngine } from '../../src/engine/reference-engine';
import { ALL_OPS, HAS_NATIVE } from './all-ops';
import { ALL_SOURCES, optionsFor } from './all-pairs';
import { recurrent, recurrentLayer } from './model-builder';
import { makeCell, makeInput, type Case } from './random-cells';

/** Every number that chunks give, by its place; one that comes twice makes it throw. */
async function cellsOf(chunks: AsyncIterable<PairsChunk>, cells = new Map<string, number>()) {
  for await (const { quantity, sequence, targetStart, sourceStart, sourceCount, logNorms } of chunks) {
    logNorms.forEach((value, at) => {
      const [t, s] = [targetStart + Math.floor(at / sourceCount), sourceStart + (at % sourceCount)];
      const key = [quantity, sequence, t, s].join();
      if (cells.has(key)) throw new Error(`${key} comes twice`);
      cells.set(key, value);
    });
  }
  return cells;
}

/** Into how many parts a run is cut; one that has no tiles is one part. */
function countsOf({ length }: Float64Array): readonly number[] {
  return [...new Set([1, 2, 3, length])].filter((count) => count >= 1 && count <= Math.max(1, length));
}

/** What each of `count` parts computes. */
function partsOf(costs: Float64Array, count: number): PairsPart[] {
  return Array.from({ length: count }, (_, index) => {
    const { first, end } = shareOf(costs, index, count);
    const tiles = new Set(Array.from({ length: end - first }, (_, at) => first + at));
    return { tiles, givesKnown: index === 0 };
  });
}

const BLOCKED = [
  ['leaf by leaf', { algorithm: 'blocked', segments: [5], isAdaptive: false }],
  ['in segments of segments', { algorithm: 'blocked', segments: [2, 4, 8], isAdaptive: false }],
  ['in a basis', { algorithm: 'blocked', segments: [4], isAdaptive: true }],
] as const;

const sizes = { units: 5, inputDim: 3, batch: 3, steps: 40 } as const;
const CASES: readonly (readonly [what: string, wanted: Case, plan: PairsPlan | null])[] = [
  ['LSTM', { kind: 'LSTM', ...sizes }, null],
  ['masked LSTM with an initial state', { kind: 'LSTM', ...sizes, masked: 0.4, initial: true }, null],
  ['masked GRU that runs backwards', { kind: 'GRU', ...sizes, masked: 0.3, direction: 'backward' }, null],
  // Wide inputs, so that a tile has a few sources and one sequence only.
  ['wide SimpleRNN', { kind: 'SimpleRNN', units: 32, inputDim: 800, batch: 2, steps: 24 }, null],
  ['wide masked LSTM', { kind: 'LSTM', units: 16, inputDim: 800, batch: 2, steps: 28, masked: 0.3 }, null],
  ['LSTM whose every step is masked', { kind: 'LSTM', ...sizes, masked: 2 }, null],
  ...BLOCKED.flatMap(([name, plan]) => [
    [`LSTM, ${name},`, { kind: 'LSTM', ...sizes, initial: true }, plan] as const,
    [
      `masked GRU that runs backwards, ${name},`,
      { kind: 'GRU', ...sizes, masked: 0.3, direction: 'backward' },
      plan,
    ] as const,
    [`SimpleRNN that loses five decades a step, ${name},`, { kind: 'SimpleRNN', ...sizes, gain: 1e-5 }, plan] as const,
  ]),
];

describe.each(ALL_OPS)('parts of the pairs on %s', (name, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });

  // What is wide takes long in float64, and the reference has it below.
  const cases = CASES.filter(([what]) => name !== 'float64' || !what.startsWith('wide'));

  it.each(cases)('of a %s are the pairs of one run', async (_, wanted, plan) => {
    const { x, mask, initial } = makeInput(wanted);
    const before = ops.tensorCount();
    const cell = openCell(ops, makeCell(wanted));
    const { signal } = new AbortController();
    const run = await runCell(ops, cell, x, { direction: wanted.direction ?? 'forward', mask, initial, signal });
    const options = optionsFor(ALL_SOURCES);
    const whole = await cellsOf(propagatePairs(ops, cell, run, options, plan));
    const costs = pairsTiles(ops, cell, run, options, plan);
    expect(costs.every((cost) => cost > 0)).toBe(true);
    for (const count of countsOf(costs)) {
      const joined = new Map<string, number>();
      // The last part first: no order may matter.
      for (const part of partsOf(costs, count).reverse()) {
        expect(part.tiles.size > 0).toBe(costs.length > 0);
        await cellsOf(propagatePairs(ops, cell, run, { ...options, part }, plan), joined);
      }
      expect(joined.size).toBe(whole.size);
      for (const [key, value] of whole) if (!Object.is(joined.get(key), value)) throw new Error(`${key} differs`);
    }
    cell.dispose();
    expect(ops.tensorCount()).toBe(before);
  });
});

describe.runIf(HAS_NATIVE)('tiles of sources in bases of their own', () => {
  it('give the same apart and together', async () => {
    const [, makeNative] = ALL_OPS[0]!;
    const ops = await makeNative();
    const wanted: Case = { kind: 'LSTM', units: 56, inputDim: 5, batch: 1, steps: 100, gain: 0.7 };
    const before = ops.tensorCount();
    const cell = openCell(ops, makeCell(wanted));
    const { x, mask, initial } = makeInput(wanted);
    const { signal } = new AbortController();
    const run = await runCell(ops, cell, x, { direction: 'forward', mask, initial, signal });
    const order = { source: 'input', hasInitial: true, segments: [4, 8], isAdaptive: true } as const;
    const valid = validSteps('forward', 1, 100, null);
    const task = { arithmetic: chooseArithmetic(ops, cell), run, valid, sequence: 0, order, pace: new Pace(signal) };
    const tiles = [
      { sequence: 0, lo: 0, hi: 40 },
      { sequence: 0, lo: 40, hi: 72 },
      { sequence: 0, lo: 72, hi: 100 },
    ];
    const normsOf = async (some: typeof tiles, norms = new Map<string, Float64Array>()) => {
      const report = emptyPairsReport();
      for await (const { block } of pairsBlocked(task, some, report)) {
        // Runs are joined as they grow old, and alike in both.
        const key = [block.source, block.firstTarget, block.firstSource, block.sources].join();
        expect(norms.has(key)).toBe(false);
        norms.set(key, Float64Array.of(...(block.h ?? []), ...(block.c ?? [])));
      }
      if (some.length === 3) expect(report.probeError).toBeGreaterThan(0);
      return norms;
    };
    const whole = await normsOf(tiles);
    const apart = new Map<string, Float64Array>();
    for (const tile of [...tiles].reverse()) await normsOf([tile], apart);
    expect(apart.size).toBe(whole.size);
    for (const [key, norms] of whole) expect(apart.get(key), key).toEqual(norms);
    cell.dispose();
    expect(ops.tensorCount()).toBe(before);
  });
});

describe('parts of the pairs of the float64 reference', () => {
  it.each(CASES.filter(([, , plan]) => plan === null))('of a %s are the pairs of one run', async (_, wanted) => {
    const { direction = 'forward', batch, steps } = wanted;
    const { x, mask, initial } = makeInput(wanted);
    const cell = makeCell(wanted);
    const operation = recurrent(
      direction === 'forward' ? cell : null,
      direction === 'forward' ? {} : { backward: cell },
    );
    const input = {
      x,
      backwardX: null,
      mask: mask && { shape: [batch, steps], data: mask },
      initialState: initial ? { [direction]: initial } : {},
    };
    const run = await new ReferenceEngine().openLayer(
      recurrentLayer(operation, []),
      input,
      new AbortController().signal,
    );
    const options = optionsFor(ALL_SOURCES);
    const whole = await cellsOf(run.pairs(direction, options));
    const costs = run.pairsTiles(direction, options);
    for (const count of countsOf(costs)) {
      const joined = new Map<string, number>();
      for (const part of partsOf(costs, count).reverse()) {
        await cellsOf(run.pairs(direction, { ...options, part }), joined);
      }
      expect(joined).toEqual(whole);
    }
  });
});
