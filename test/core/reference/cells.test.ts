/**
 * The closed forms of the three cells against fourth-order central differences, over activations and options.
 *
 * Tolerance 1e-10: the differences with step 1e-3 have a truncation error h^4 f''''' / 30 and a rounding error 1e-16/h,
 * together near 1e-12 for weights of order 1 and up to 7e-11 for the sharper activations.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTIVATION_NAMES, isElementwise, type ActivationDescription } from '../../../src/core/activations';
import { differenceJacobians } from '../../../src/core/diagnostics/finite-difference';
import type { CellDescription, CellKind, LstmCell } from '../../../src/core/model';
import { newStepJacobians, type CellState } from '../../../src/core/reference/cell';
import { makeReferenceCell, stepCell, stepJacobians } from '../../../src/core/reference/reference-cell';
import { largestDifference, normals, randomCell, type RandomCellOptions } from '../random-cell';

const TOLERANCE = 1e-10;

const SOFTMAX: Partial<RandomCellOptions> = {
  activation: { name: 'softmax' },
  recurrentActivation: { name: 'softmax' },
};

/** Names whose pieces meet in kinks: a draw that straddles one is drawn again. */
const KINKED = new Set(
  'hard_sigmoid relu relu6 leaky_relu elu selu celu hard_silu hard_tanh soft_shrink hard_shrink threshold sparse_plus sparse_sigmoid sparsemax'.split(
    ' ',
  ),
);

function deviation(description: CellDescription, seed: number): number {
  const cell = makeReferenceCell(description);
  const x = normals(cell.inputDim, seed + 500);
  const previous: CellState = {
    h: normals(cell.hiddenSize, seed + 600, 0.5),
    c: cell.hasCell ? normals(cell.units, seed + 700, 0.8) : null,
  };
  const formula = stepJacobians(cell, x, previous);
  const difference = differenceJacobians(cell, x, previous);
  return Math.max(
    largestDifference(formula.stateJacobian, difference.stateJacobian),
    largestDifference(formula.inputJacobian, difference.inputJacobian),
  );
}

/** The deviation of the first draw that straddles no kink: over a kink it is of the size of a derivative. */
function smoothDeviation(make: (seed: number) => CellDescription, isKinked: boolean): number {
  const draws = isKinked ? 12 : 1;
  let smallest = Infinity;
  for (let seed = 1; seed <= draws && !(smallest < TOLERANCE); seed++) {
    smallest = Math.min(smallest, deviation(make(seed), seed));
  }
  return smallest;
}

const kinds: [string, CellKind, boolean][] = [
  ['SimpleRNN', 'SimpleRNN', true],
  ['LSTM', 'LSTM', true],
  ['GRU, reset after', 'GRU', true],
  ['GRU, reset before', 'GRU', false],
];

describe.each(kinds)('%s', (_title, kind, resetAfter) => {
  it.each(ACTIVATION_NAMES)('with activation %s', (name) => {
    const make = (seed: number): CellDescription => randomCell({ kind, resetAfter, seed, activation: { name } });
    expect(smoothDeviation(make, KINKED.has(name))).toBeLessThan(TOLERANCE);
  });

  it.each(kind === 'SimpleRNN' ? [] : ACTIVATION_NAMES)('with recurrent activation %s', (name) => {
    const make = (seed: number): CellDescription =>
      randomCell({ kind, resetAfter, seed, recurrentActivation: { name } });
    expect(smoothDeviation(make, KINKED.has(name))).toBeLessThan(TOLERANCE);
  });

  it('with softmax everywhere, without bias, with both hard_sigmoids', () => {
    const softmax: ActivationDescription = { name: 'softmax' };
    const all = randomCell({ kind, resetAfter, activation: softmax, recurrentActivation: softmax });
    expect(deviation(all, 1)).toBeLessThan(TOLERANCE);
    expect(deviation(randomCell({ kind, resetAfter, hasBias: false }), 2)).toBeLessThan(TOLERANCE);
    for (const slope of [0.2, 1 / 6]) {
      const gate: ActivationDescription = { name: 'hard_sigmoid', slope };
      const make = (seed: number): CellDescription => randomCell({ kind, resetAfter, seed, recurrentActivation: gate });
      expect(smoothDeviation(make, true)).toBeLessThan(TOLERANCE);
    }
  });

  it('with any shape', () => {
    const smooth = ACTIVATION_NAMES.filter((name) => isElementwise(name) && !KINKED.has(name));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.constantFrom(...smooth.filter((name) => name !== 'exponential')),
        (units, inputDim, seed, name) => {
          const description = randomCell({ kind, resetAfter, units, inputDim, seed, activation: { name } });
          expect(deviation(description, seed)).toBeLessThan(5e-10);
        },
      ),
      { numRuns: 60, seed: 20 },
    );
  });

  it('has zero Jacobians with zero kernels, but for the direct paths', () => {
    const random = randomCell({ kind, resetAfter });
    const zero = {
      ...random,
      kernel: { ...random.kernel, data: random.kernel.data.map(() => 0) },
      recurrentKernel: { ...random.recurrentKernel, data: random.recurrentKernel.data.map(() => 0) },
      bias: null,
    } as CellDescription;
    const cell = makeReferenceCell(zero);
    const previous: CellState = { h: normals(4, 1), c: cell.hasCell ? normals(4, 2) : null };
    const { stateJacobian, inputJacobian } = stepJacobians(cell, normals(3, 3), previous);
    expect(inputJacobian.every((value) => value === 0)).toBe(true);
    const trace = Array.from({ length: cell.stateSize }, (_, u) => stateJacobian[u * (cell.stateSize + 1)]);
    // Every gate is 1/2: an LSTM keeps half its cell state, a GRU half its state plus r/2 of nothing.
    expect(trace).toEqual(
      { SimpleRNN: [0, 0, 0, 0], LSTM: [0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5], GRU: Array(4).fill(0.5) }[kind],
    );
  });

  it('carries NaN weights on and ends', () => {
    const random = randomCell({ kind, resetAfter });
    random.kernel.data[0] = NaN;
    const cell = makeReferenceCell(random);
    const previous: CellState = { h: normals(4, 1), c: cell.hasCell ? normals(4, 2) : null };
    expect(stepCell(cell, normals(3, 3), previous).h.some(Number.isNaN)).toBe(true);
    expect(stepJacobians(cell, normals(3, 3), previous).inputJacobian.some(Number.isNaN)).toBe(true);
  });

  it('writes the same bits into used arrays', () => {
    const cell = makeReferenceCell(randomCell({ kind, resetAfter }));
    const previous: CellState = { h: normals(4, 1), c: cell.hasCell ? normals(4, 2) : null };
    const used = newStepJacobians(cell);
    used.stateJacobian.fill(7);
    used.inputJacobian.fill(7);
    cell.linearise(normals(3, 3), previous, used, 'both');
    const expected = stepJacobians(cell, normals(3, 3), previous);
    expect(used).toEqual(expected);
    used.inputJacobian.fill(7);
    cell.linearise(normals(3, 3), previous, used, 'state');
    expect(used.inputJacobian.every((value) => value === 7)).toBe(true);
    used.stateJacobian.fill(7);
    cell.linearise(normals(3, 3), previous, used, 'input');
    expect(used.stateJacobian.every((value) => value === 7)).toBe(true);
    expect(used.inputJacobian).toEqual(expected.inputJacobian);
  });
});

/** Every option alone, and those that meet in one formula together. */
const LSTM_OPTIONS: readonly [string, Partial<RandomCellOptions>][] = [
  ['peepholes', { hasPeepholes: true }],
  ['a projection', { projected: 2 }],
  ['a projection wider than half', { projected: 3 }],
  ['input_forget', { inputForget: true }],
  ['input_forget and peepholes', { inputForget: true, hasPeepholes: true }],
  ['an own output activation', { outputActivation: { name: 'softsign' } }],
  ['a softmax for output activation', { outputActivation: { name: 'softmax' } }],
  ['peepholes and softmax gates', { hasPeepholes: true, recurrentActivation: { name: 'softmax' } }],
  ['peepholes, softmax gates and output', { ...SOFTMAX, hasPeepholes: true, projected: 2 }],
  ['peepholes, softmax gates and input_forget', { ...SOFTMAX, hasPeepholes: true, inputForget: true }],
  ['peepholes and a projection', { hasPeepholes: true, projected: 2 }],
  [
    'everything',
    { hasPeepholes: true, projected: 3, inputForget: true, outputActivation: { name: 'elu', alpha: 0.6 } },
  ],
];

/** ONNX's activations away from their defaults. */
const ONNX_ACTIVATIONS: readonly ActivationDescription[] = [
  { name: 'affine', slope: 0.6, offset: -0.2 },
  { name: 'scaled_tanh', alpha: 1.3, slope: 0.7 },
  { name: 'hard_sigmoid', slope: 0.3, offset: 0.4 },
  { name: 'leaky_relu', negativeSlope: 0.01 },
  { name: 'threshold', threshold: 0.4, alpha: 0 },
  { name: 'elu', alpha: 0.8 },
];

describe('options of ONNX and PyTorch', () => {
  it.each(LSTM_OPTIONS)('LSTM with %s', (_title, options) => {
    for (const hasBias of [true, false]) {
      const make = (seed: number): CellDescription => randomCell({ kind: 'LSTM', seed, hasBias, ...options });
      expect(smoothDeviation(make, true)).toBeLessThan(TOLERANCE);
      // The clip lies inside the range of the pre-activations, so that some are bounded and some are not.
      const clipped = (seed: number): CellDescription => randomCell({ kind: 'LSTM', seed, clip: 0.6, ...options });
      expect(smoothDeviation(clipped, true)).toBeLessThan(TOLERANCE);
    }
  });

  it.each(kinds)('%s with a clip', (_title, kind, resetAfter) => {
    for (const name of ['tanh', 'softmax', 'softsign'] as const) {
      const make = (seed: number): CellDescription =>
        randomCell({ kind, resetAfter, seed, clip: 0.5, activation: { name }, recurrentActivation: { name } });
      expect(smoothDeviation(make, true), name).toBeLessThan(TOLERANCE);
      const cell = makeReferenceCell(make(1));
      const previous: CellState = { h: normals(4, 1), c: cell.hasCell ? normals(4, 2) : null };
      const step = stepCell(cell, normals(3, 3), previous);
      const bounded = step.preActivations.filter((a) => Math.abs(a) >= 0.5).length;
      expect(bounded).toBeGreaterThan(0);
      expect(bounded).toBeLessThan(step.preActivations.length);
    }
  });

  it.each(ONNX_ACTIVATIONS)('$name $slope $offset $alpha in every cell', (activation) => {
    for (const [title, kind, resetAfter] of kinds) {
      const make = (seed: number): CellDescription =>
        randomCell({ kind, resetAfter, seed, activation, recurrentActivation: activation, clip: 1.5 });
      expect(smoothDeviation(make, true), title).toBeLessThan(TOLERANCE);
    }
  });

  it('with neutral options has the bits of the plain LSTM', () => {
    const plain = randomCell({ kind: 'LSTM' }) as LstmCell;
    const identity = Float64Array.from({ length: 16 }, (_, at) => Number(at % 5 === 0));
    const neutral: LstmCell = {
      ...plain,
      clip: 1e6,
      peepholes: { shape: [12], data: new Float64Array(12) },
      projection: { shape: [4, 4], data: identity },
    };
    const previous: CellState = { h: normals(4, 1), c: normals(4, 2) };
    const [a, b] = [plain, neutral].map((one) => {
      const cell = makeReferenceCell(one);
      return { ...stepCell(cell, normals(3, 3), previous), ...stepJacobians(cell, normals(3, 3), previous) };
    });
    expect(b).toEqual(a);
  });

  it('a projected LSTM has P units of h and H of c', () => {
    const cell = makeReferenceCell(randomCell({ kind: 'LSTM', units: 5, projected: 2 }));
    expect([cell.units, cell.hiddenSize, cell.stateSize]).toEqual([5, 2, 7]);
    const step = stepCell(cell, normals(3, 3), { h: normals(2, 1), c: normals(5, 2) });
    expect([step.h.length, step.c?.length, step.gates.length]).toEqual([2, 5, 20]);
  });

  it('an input_forget gate is 1 - i and its kernel does not matter', () => {
    const description = randomCell({ kind: 'LSTM', inputForget: true });
    const changed = structuredClone(description);
    for (const kernel of [changed.kernel, changed.recurrentKernel]) {
      for (let at = 0; at < kernel.data.length; at++) if (Math.floor((at % 16) / 4) === 1) kernel.data[at] = 9;
    }
    const previous: CellState = { h: normals(4, 1), c: normals(4, 2) };
    const [one, other] = [description, changed].map((cell) => {
      const made = makeReferenceCell(cell);
      return { step: stepCell(made, normals(3, 3), previous), jacobians: stepJacobians(made, normals(3, 3), previous) };
    });
    expect(other.step.h).toEqual(one.step.h);
    expect(other.jacobians).toEqual(one.jacobians);
    for (let u = 0; u < 4; u++) expect(one.step.gates[4 + u]).toBe(1 - one.step.gates[u]);
  });
});

describe('saturation', () => {
  it('keeps the digits of a latched LSTM: gates at 40, derivative from the pre-activation', () => {
    const description = randomCell({ kind: 'LSTM', units: 1, inputDim: 1 });
    description.kernel.data.set([1, 1, 1, 1]);
    description.recurrentKernel.data.set([0, 0, 0, 0]);
    const bias = description.bias?.data;
    bias?.set([20, 20, 20, 20]);
    const cell = makeReferenceCell(description);
    const { inputJacobian } = stepJacobians(cell, Float64Array.of(0), { h: Float64Array.of(0), c: Float64Array.of(1) });
    // dc/dx = i' g + f' c + g' i with sigmoid'(20) = e^-20/(1+e^-20)^2 and tanh'(20) = 4e^-40/(1+e^-40)^2.
    const e = Math.exp(-20);
    const gate = e / (1 + e) ** 2;
    const expected = gate * Math.tanh(20) + gate + (4 * Math.exp(-40)) / (1 + e);
    expect(Math.abs(inputJacobian[1] / expected - 1)).toBeLessThan(1e-14);
  });
});
