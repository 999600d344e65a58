import { beforeAll, describe, expect, it } from 'vitest';
import { makeReferenceCell } from '../../src/core/reference/reference-cell';
import { leadingExponent as referenceExponent } from '../../src/core/reference/leading-exponent';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell } from '../../src/engine/cells/run-cell';
import type { Ops } from '../../src/engine/ops';
import { leadingExponent } from '../../src/engine/propagate/leading-exponent';
import { propagateDiagonal } from '../../src/engine/propagate/diagonal';
import { propagateFinal } from '../../src/engine/propagate/final';
import { ALL_OPS } from './all-ops';
import {
  expectAsReference,
  makeCell,
  makeInput,
  relativeError,
  runCase,
  trajectoryOf,
  type Case,
} from './random-cells';

const FLOAT32 = { states: 1e-5, jacobians: 1e-4, lognorm: 1e-3 };
const never = new AbortController().signal;

/** Long runs: norms far below and far above what float32 and float64 hold. */
const LONG: readonly (readonly [what: string, wanted: Case])[] = [
  ['a vanishing LSTM', { kind: 'LSTM', units: 16, inputDim: 4, batch: 1, steps: 2000, gain: 0.7, biasShift: -0.4 }],
  [
    'a vanishing LSTM with a projection and peepholes',
    {
      ...{ kind: 'LSTM', units: 16, inputDim: 4, batch: 1, steps: 1000, gain: 0.7, biasShift: -0.4 },
      ...{ projected: 9, peepholes: true },
    },
  ],
  [
    'a latched tanh network',
    { kind: 'SimpleRNN', units: 12, inputDim: 3, batch: 2, steps: 1000, gain: 3, inputGain: 0.2, biasShift: 1 },
  ],
  [
    'a strongly contracting GRU',
    { kind: 'GRU', units: 8, inputDim: 3, batch: 1, steps: 700, gain: 0.5, biasShift: -3 },
  ],
  [
    'an exploding relu network',
    { kind: 'SimpleRNN', units: 10, inputDim: 2, batch: 1, steps: 60, gain: 3, activation: { name: 'relu' } },
  ],
  [
    'a linear network that explodes',
    {
      kind: 'SimpleRNN',
      units: 6,
      inputDim: 2,
      batch: 1,
      steps: 90,
      gain: 2.2,
      activation: { name: 'linear' },
      inputGain: 1e-30,
      bias: false,
    },
  ],
  ['steps that each lose nine decades', { kind: 'SimpleRNN', units: 4, inputDim: 2, batch: 1, steps: 200, gain: 1e-9 }],
];

describe.each(ALL_OPS.filter(([name]) => name !== 'float64'))('long runs on %s', (_, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });

  it.each(LONG)('%s', async (what, wanted) => {
    const { cell, ...outcome } = await runCase(ops, wanted);
    expectAsReference(outcome, cell, FLOAT32, false);
    const norms = outcome.chunks.flatMap((chunk) => [...chunk.lognormH]);
    expect(
      norms.every((norm) => Number.isFinite(norm)),
      what,
    ).toBe(true);
  });

  it('an exactly dead layer has -Infinity, no scale, and zeros', async () => {
    const { chunks } = await runCase(ops, {
      kind: 'SimpleRNN',
      units: 3,
      inputDim: 2,
      batch: 1,
      steps: 5,
      activation: { name: 'relu' },
      biasShift: -50,
    });
    for (const chunk of chunks) {
      expect([...chunk.lognormH].every((norm) => norm === -Infinity)).toBe(true);
      expect([...chunk.scaleH].every((scale) => scale === 0)).toBe(true);
      expect(chunk.dhTdx.every((value) => value === 0)).toBe(true);
    }
  });
});

describe.each(ALL_OPS)('propagation on %s', (name, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });
  const base = { units: 6, inputDim: 3, batch: 3, steps: 40 } as const;

  const exponents: readonly (readonly [what: string, wanted: Case, warmUp: number])[] = [
    ['LSTM', { kind: 'LSTM', ...base }, 0],
    ['LSTM after a warm-up, masked', { kind: 'LSTM', ...base, masked: 0.3 }, 7],
    ['backward GRU', { kind: 'GRU', ...base, direction: 'backward' }, 5],
    ['GRU with reset before', { kind: 'GRU', ...base, resetAfter: false }, 0],
    ['LSTM with softmax', { kind: 'LSTM', ...base, activation: { name: 'softmax' } }, 0],
    ['LSTM with a projection', { kind: 'LSTM', ...base, projected: 4 }, 3],
    ['masked LSTM with peepholes', { kind: 'LSTM', ...base, peepholes: true, masked: 0.3 }, 0],
    ['SimpleRNN with softmax', { kind: 'SimpleRNN', ...base, activation: { name: 'softmax' } }, 0],
    ['SimpleRNN that vanishes fast', { kind: 'SimpleRNN', ...base, steps: 100, gain: 1e-6 }, 3],
    ['relu network that is dead', { kind: 'SimpleRNN', ...base, activation: { name: 'relu' }, biasShift: -50 }, 0],
    ['warm-up as long as the run', { kind: 'LSTM', ...base }, 40],
  ];
  it.each(exponents)('leading exponent of a %s', async (_, wanted, warmUp) => {
    const description = makeCell(wanted);
    const { x, mask, initial } = makeInput(wanted);
    const before = ops.tensorCount();
    const cell = openCell(ops, description);
    const run = await runCell(ops, cell, x, { direction: wanted.direction ?? 'forward', mask, initial, signal: never });
    const got = await leadingExponent(ops, cell, run, warmUp, never);
    cell.dispose();
    expect(ops.tensorCount()).toBe(before);
    const reference = makeReferenceCell(description);
    got.forEach((exponent, b) => {
      const expected = referenceExponent(reference, trajectoryOf(run, b), warmUp);
      if (Number.isFinite(expected)) expect(exponent).toBeCloseTo(expected, name === 'float64' ? 10 : 4);
      else expect(exponent).toBe(expected);
    });
  });

  it('a chunk size changes the chunks and not the numbers', async () => {
    const wanted: Case = { kind: 'LSTM', ...base };
    const whole = await runCase(ops, wanted);
    const pieces = await runCase(ops, { ...wanted, chunkBytes: 3000 });
    expect(pieces.chunks.length).toBeGreaterThan(whole.chunks.length);
    expect(relativeError(pieces.dhdx, whole.dhdx)).toBeLessThan(1e-6);
    for (const chunk of pieces.chunks) {
      for (let i = 0; i < chunk.count; i++) {
        const wholeRow = chunk.start + i - whole.chunks[0].start;
        expect(chunk.lognormH[i]).toBeCloseTo(whole.chunks[0].lognormH[wholeRow], 4);
      }
    }
  });

  it('the same run gives the same bits', async () => {
    const wanted: Case = { kind: 'GRU', ...base, steps: 33 };
    const first = await runCase(ops, wanted);
    const second = await runCase(ops, wanted);
    expect(first.dhdx).toEqual(second.dhdx);
    expect(first.chunks).toEqual(second.chunks);
  });

  it('NaN weights give NaN and an end', async () => {
    const wanted: Case = { kind: 'LSTM', ...base, steps: 10 };
    const description = makeCell(wanted);
    const kernel = description.recurrentKernel.data.slice();
    kernel[0] = NaN;
    const cell = openCell(ops, {
      ...description,
      recurrentKernel: { shape: description.recurrentKernel.shape, data: kernel },
    });
    const run = await runCell(ops, cell, makeInput(wanted).x, {
      direction: 'forward',
      mask: null,
      initial: null,
      signal: never,
    });
    let chunks = 0;
    for await (const chunk of propagateFinal(ops, cell, run, { signal: never, chunkBytes: 1e6 })) {
      chunks++;
      expect(chunk.lognormH[0]).toBeNaN();
    }
    expect(chunks).toBe(1);
    cell.dispose();
  });

  it.each(['diagonal', 'final'] as const)('%s stops on abort, and leaves no tensor behind', async (mode) => {
    const wanted: Case = { kind: 'LSTM', ...base };
    const before = ops.tensorCount();
    const cell = openCell(ops, makeCell(wanted));
    const run = await runCell(ops, cell, makeInput(wanted).x, {
      direction: 'forward',
      mask: null,
      initial: null,
      signal: never,
    });
    const controller = new AbortController();
    const options = { signal: controller.signal, chunkBytes: 1 };
    const chunks =
      mode === 'final' ? propagateFinal(ops, cell, run, options) : propagateDiagonal(ops, cell, run, options);
    let count = 0;
    await expect(async () => {
      for await (const chunk of chunks) {
        expect(chunk.count).toBe(1);
        count++;
        if (count === 3) controller.abort(new Error('stop here'));
      }
    }).rejects.toThrow('stop here');
    expect(count).toBe(3);
    const broken =
      mode === 'final'
        ? propagateFinal(ops, cell, run, { signal: never, chunkBytes: 1 })
        : propagateDiagonal(ops, cell, run, { signal: never, chunkBytes: 1 });
    await broken.next();
    await broken.return();
    cell.dispose();
    expect(ops.tensorCount()).toBe(before);
  });
});

describe('cells that are too large for float64 steps', () => {
  const [, make] = ALL_OPS[0];

  it.each([
    [
      'a chaotic tanh network',
      { kind: 'SimpleRNN', units: 132, inputDim: 6, batch: 1, steps: 500, gain: 1.3, bias: false, inputGain: 0.3 },
    ],
    ['an LSTM batch with a mask', { kind: 'LSTM', units: 100, inputDim: 12, batch: 3, steps: 150, masked: 0.2 }],
    ['a backward GRU', { kind: 'GRU', units: 132, inputDim: 6, batch: 2, steps: 150, direction: 'backward' }],
    [
      'a latched tanh network',
      { kind: 'SimpleRNN', units: 132, inputDim: 3, batch: 1, steps: 400, gain: 3, inputGain: 0.2, biasShift: 1 },
    ],
  ] satisfies [string, Case][])('%s agrees with the reference on the same states', async (_, wanted) => {
    const ops = await make();
    const { cell, ...outcome } = await runCase(ops, wanted);
    expectAsReference(outcome, cell, FLOAT32, false);
  });
});

describe('a chaotic network', () => {
  it('stays within 1e-4 of the reference on the same states over 1000 steps', async () => {
    const [, make] = ALL_OPS[0];
    const ops = await make();
    const wanted: Case = {
      kind: 'SimpleRNN',
      units: 32,
      inputDim: 4,
      batch: 1,
      steps: 1000,
      gain: 2,
      bias: false,
      inputGain: 0.3,
    };
    const { cell, ...outcome } = await runCase(ops, wanted);
    expect(referenceExponent(makeReferenceCell(cell), trajectoryOf(outcome.run, 0), 100)).toBeGreaterThan(0.05);
    expectAsReference(outcome, cell, FLOAT32, false);
  });
});
