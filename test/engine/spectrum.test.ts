/** Spectra of every engine against the float64 reference on the engine's own states. */
import { beforeAll, describe, expect, it } from 'vitest';
import { diagonalRnn, LATCHED_STATE, scalarRnn } from '../../src/core/known-runs';
import type { SimpleRnnCell } from '../../src/core/model';
import { lyapunovSpectrum } from '../../src/core/reference/lyapunov-spectrum';
import { makeReferenceCell } from '../../src/core/reference/reference-cell';
import type { SequenceSpectrum } from '../../src/core/spectrum-sum';
import { makeTensor } from '../../src/core/tensor';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell } from '../../src/engine/cells/run-cell';
import type { SpectrumResult } from '../../src/engine/engine';
import type { Ops } from '../../src/engine/ops';
import { propagateSpectrum } from '../../src/engine/propagate/spectrum';
import { planSpectrum } from '../../src/engine/propagate/spectrum-plan';
import { ALL_OPS } from './all-ops';
import { makeCell, makeInput, trajectoryOf, type Case } from './random-cells';

const never = new AbortController().signal;

interface Compared {
  readonly got: SpectrumResult;
  /** Of each sequence, with a QR at every step. */
  readonly expected: readonly SequenceSpectrum[];
}

async function compare(ops: Ops, wanted: Case, exponents: number | 'all', warmUp = 0): Promise<Compared> {
  const description = makeCell(wanted);
  const { x, mask, initial } = makeInput(wanted);
  const before = ops.tensorCount();
  const cell = openCell(ops, description);
  const run = await runCell(ops, cell, x, { direction: wanted.direction ?? 'forward', mask, initial, signal: never });
  const got = await propagateSpectrum(ops, cell, run, { exponents, warmUp, signal: never });
  cell.dispose();
  expect(ops.tensorCount()).toBe(before);
  const reference = makeReferenceCell(description);
  const { count, logSingularValues } = got;
  const wish = { count, warmUp, hasSingularValues: logSingularValues !== null };
  const expected = Array.from({ length: wanted.batch }, (_, b) =>
    lyapunovSpectrum(reference, trajectoryOf(run, b), wish),
  );
  return { got, expected };
}

/** The whole spectrum over zeros. */
async function known(ops: Ops, description: SimpleRnnCell, steps: number, start = 0): Promise<SpectrumResult> {
  const cell = openCell(ops, description);
  const { units, inputDim } = description;
  const initial = { h0: makeTensor([1, units], new Float64Array(units).fill(start)), c0: null };
  const x = makeTensor([1, steps, inputDim], new Float64Array(steps * inputDim));
  const run = await runCell(ops, cell, x, { direction: 'forward', mask: null, initial, signal: never });
  const got = await propagateSpectrum(ops, cell, run, { exponents: 'all', warmUp: 0, signal: never });
  cell.dispose();
  return got;
}

function largestGap(got: Float64Array, expected: readonly Float64Array[]): number {
  const flat = expected.flatMap((row) => [...row]);
  expect(got.length).toBe(flat.length);
  return Math.max(...flat.map((value, at) => (Object.is(value, got[at]) ? 0 : Math.abs(value - got[at]))));
}

const CASES: readonly (readonly [what: string, wanted: Case])[] = [
  ['an LSTM', { kind: 'LSTM', units: 6, inputDim: 3, batch: 2, steps: 60 }],
  [
    'a masked LSTM with all options',
    {
      ...{ kind: 'LSTM', units: 6, inputDim: 3, batch: 2, steps: 60, masked: 0.3, initial: true },
      ...{ projected: 4, peepholes: true, direction: 'backward' },
    },
  ],
  ['a GRU', { kind: 'GRU', units: 8, inputDim: 9, batch: 1, steps: 60, resetAfter: true }],
  ['a GRU with reset before', { kind: 'GRU', units: 8, inputDim: 2, batch: 2, steps: 60, resetAfter: false }],
  [
    'a chaotic tanh network',
    { kind: 'SimpleRNN', units: 16, inputDim: 1, batch: 1, steps: 80, gain: 2, inputGain: 0.1 },
  ],
  ['a dense LSTM', { kind: 'LSTM', units: 5, inputDim: 3, batch: 2, steps: 30, outputActivation: { name: 'softmax' } }],
  [
    'a relu network',
    { kind: 'SimpleRNN', units: 7, inputDim: 3, batch: 2, steps: 40, activation: { name: 'relu' }, gain: 1.4 },
  ],
];

describe.each(ALL_OPS)('%s', (name, make) => {
  let ops: Ops;

  beforeAll(async () => {
    ops = await make();
  });

  it.each(CASES)('all exponents and singular values of %s', async (_what, wanted) => {
    const { got, expected } = await compare(ops, wanted, 'all', 3);
    expect(got.reason).toBeNull();
    const resolved = (values: readonly Float64Array[]): Float64Array[] =>
      values.map((row, b) => row.map((value, i) => (expected[b].isResolved[i] ? value : 0)));
    const own = got.lyapunov.map((value, at) =>
      expected[Math.floor(at / got.count)].isResolved[at % got.count] ? value : 0,
    );
    // The lowest ones feel that c_t is rounded to float32 beside h_{t-1}; the reference takes c_t from h_{t-1}.
    const tolerance = name === 'float64' ? 1e-9 : 1e-5;
    expect(largestGap(own, resolved(expected.map(({ exponents }) => exponents)))).toBeLessThan(tolerance);
    expect([...got.isResolved]).toEqual(expected.flatMap(({ isResolved }) => [...isResolved]));
    expect([...got.curve.steps]).toEqual([...expected[0].curve.steps]);
    if (expected.every(({ isResolved }) => !isResolved.includes(0))) {
      expect(
        largestGap(
          got.logSingularValues!,
          expected.map((entry) => entry.logSingularValues!),
        ),
      ).toBeLessThan(100 * tolerance);
      expect(
        largestGap(
          got.curve.values,
          expected.map(({ curve }) => curve.values),
        ),
      ).toBeLessThan(1e-5);
    }
  });

  it('few exponents, with a QR every few steps', async () => {
    const wanted: Case = { kind: 'LSTM', units: 24, inputDim: 4, batch: 2, steps: 203, gain: 1.2, masked: 0.1 };
    const { got, expected } = await compare(ops, wanted, 5, 10);
    expect(got.count).toBe(5);
    expect(
      largestGap(
        got.lyapunov,
        expected.map(({ exponents }) => exponents),
      ),
    ).toBeLessThan(1e-6);
    expect(
      largestGap(
        got.curve.values,
        expected.map(({ curve }) => curve.values),
      ),
    ).toBeLessThan(1e-5);
  });

  it('knows the exponents of linear networks: D12 (1.1, 1, .5), D5 and D6 (1, .5), and an orthogonal kernel', async () => {
    const three = await known(ops, diagonalRnn([0.5, 1.1, 1], [0, 0, 0], { name: 'linear' }), 100);
    expect([...three.lyapunov]).toEqual([expect.closeTo(0.0953, 4), expect.closeTo(0, 7), expect.closeTo(-0.6931, 4)]);
    expect(three.lyapunov.reduce((sum, value) => sum + value)).toBeCloseTo(-0.5978, 4);
    const { logSingularValues: logs } = await known(ops, diagonalRnn([1, 0.5], [0, 0], { name: 'linear' }), 10);
    expect(Math.exp(logs![1])).toBeCloseTo(9.766e-4, 7);
    expect(Math.exp(logs![0] - logs![1])).toBeCloseTo(1024, 4);
    const [c, s] = [Math.cos(1), Math.sin(1)];
    const rotation = {
      ...diagonalRnn([0, 0], [0, 0], { name: 'linear' }),
      recurrentKernel: makeTensor([2, 2], Float64Array.of(c, s, -s, c)),
    };
    const turned = await known(ops, rotation, 200);
    for (const value of turned.lyapunov) expect(value).toBeCloseTo(0, 7);
    for (const value of turned.logSingularValues!) expect(value).toBeCloseTo(0, 5);
  });

  it('D9: h = tanh(2h) at its attractor', async () => {
    const got = await known(ops, scalarRnn(2, 0, { name: 'tanh' }), 200, LATCHED_STATE);
    expect(got.lyapunov[0]).toBeCloseTo(-1.79353, 5);
  });

  it('a direction that dies gives -Infinity, and the others go on', async () => {
    const wanted: Case = {
      kind: 'SimpleRNN',
      units: 6,
      inputDim: 2,
      batch: 2,
      steps: 30,
      activation: { name: 'relu' },
      biasShift: -0.6,
    };
    const { got, expected } = await compare(ops, wanted, 'all');
    expect(got.lyapunov.includes(-Infinity)).toBe(true);
    expect([...got.lyapunov].map((value) => value === -Infinity)).toEqual(
      expected.flatMap(({ exponents }) => [...exponents].map((value) => value === -Infinity)),
    );
  });

  it('stops when it is told to', async () => {
    const wanted: Case = { kind: 'GRU', units: 8, inputDim: 2, batch: 1, steps: 50 };
    const { x } = makeInput(wanted);
    const before = ops.tensorCount();
    const cell = openCell(ops, makeCell(wanted));
    const run = await runCell(ops, cell, x, { direction: 'forward', mask: null, initial: null, signal: never });
    const stop = AbortSignal.abort(new Error('enough'));
    await expect(propagateSpectrum(ops, cell, run, { exponents: 4, warmUp: 0, signal: stop })).rejects.toThrow(
      'enough',
    );
    cell.dispose();
    expect(ops.tensorCount()).toBe(before);
  });
});

describe('planSpectrum', () => {
  it('takes all tangents where singular values are within reach, else those asked for, and says why', () => {
    expect(planSpectrum(32, 1, 200, 64, 'reference')).toEqual({
      count: 32,
      tangents: 32,
      hasSingularValues: true,
      reason: null,
    });
    const large = planSpectrum(1024, 1, 2000, 32, 'tensorflow');
    expect(large).toMatchObject({ count: 32, tangents: 32, hasSingularValues: false });
    expect(large.reason).toMatch(/--exponents all/);
    expect(planSpectrum(2048, 8, 100_000, 'all', 'wasm')).toMatchObject({ tangents: 2048, hasSingularValues: false });
  });
});
