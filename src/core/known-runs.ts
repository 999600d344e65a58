/**
 * Small recurrences whose Jacobians are known in closed form, as data.
 *
 * Any engine can run them: a cell, an input, and what `final` must give at one lag. They are the part of the
 * known-value table (method.md, section 3) that says whether an engine is right on this machine.
 */
import type { ActivationDescription } from './activations';
import type { StateName } from './jacobian';
import { PLAIN_LSTM, type CellDescription, type LstmCell, type SimpleRnnCell } from './model';
import { makeTensor } from './tensor';

/** One recurrence with one expected number. */
export interface KnownRun {
  readonly id: string;
  readonly what: string;
  readonly source: string;
  readonly cell: CellDescription;
  /** T; the input is zeros `[1, T, D]`, the initial state zeros unless given. */
  readonly steps: number;
  /** `[H]`, null for zeros. */
  readonly initialHidden: Float64Array | null;
  readonly state: StateName;
  /** Lag of the block whose norm is known. */
  readonly lag: number;
  /** ln of its Frobenius norm. */
  readonly expected: number;
  /** Absolute, for a float64 engine. */
  readonly tolerance: number;
}

/** The largest deviation of a log norm that a float32 engine may show, in nats; method.md section 4. */
export const FLOAT32_LOG_NORM_TOLERANCE = 1e-3;

/**
 * A SimpleRNN of one unit, h_t = phi(w h_{t-1} + u x_t + b).
 *
 * @param w - Recurrent weight.
 * @param u - Input weight.
 * @param activation - phi.
 * @param b - Bias.
 */
export function scalarRnn(w: number, u: number, activation: ActivationDescription, b = 0): SimpleRnnCell {
  return diagonalRnn([w], [u], activation, b);
}

/**
 * A SimpleRNN whose recurrent kernel is diagonal and whose kernel is `[1, H]`.
 *
 * @param weights - Diagonal of U, `[H]`.
 * @param inputWeights - W, `[H]`.
 * @param activation - phi.
 * @param bias - The same for all units.
 */
export function diagonalRnn(
  weights: readonly number[],
  inputWeights: readonly number[],
  activation: ActivationDescription,
  bias = 0,
): SimpleRnnCell {
  const units = weights.length;
  const recurrent = new Float64Array(units * units);
  weights.forEach((weight, u) => {
    recurrent[u * units + u] = weight;
  });
  return {
    kind: 'SimpleRNN',
    units,
    inputDim: 1,
    kernel: makeTensor([1, units], Float64Array.from(inputWeights)),
    recurrentKernel: makeTensor([units, units], recurrent),
    bias: makeTensor([units], new Float64Array(units).fill(bias)),
    activation,
    clip: null,
  };
}

/**
 * An LSTM of one unit without recurrent weights, so that its cell is a leaky sum.
 *
 * @param biases - b_i, b_f, b_g, b_o.
 * @param kernel - The input weights of the four blocks.
 */
export function carouselLstm(
  biases: readonly [number, number, number, number],
  kernel: readonly [number, number, number, number],
): LstmCell {
  return {
    kind: 'LSTM',
    units: 1,
    inputDim: 1,
    kernel: makeTensor([1, 4], Float64Array.from(kernel)),
    recurrentKernel: makeTensor([1, 4], new Float64Array(4)),
    bias: makeTensor([4], Float64Array.from(biases)),
    activation: { name: 'tanh' },
    recurrentActivation: { name: 'sigmoid' },
    outputActivation: { name: 'tanh' },
    ...PLAIN_LSTM,
  };
}

const linear: ActivationDescription = { name: 'linear' };

/** The attractor of h = tanh(2h) and the multiplier 2 (1 - h*^2) there. */
export const LATCHED_STATE = 0.9575040240772687;
const LATCHED_LOG_MULTIPLIER = Math.log(2 * (1 - LATCHED_STATE ** 2));

/** The recurrences, shortest first. */
export const KNOWN_RUNS: readonly KnownRun[] = [
  {
    id: 'D1.linear',
    what: 'dh_T/dx at lag 50 of h = 0.9 h + x: 0.9^50 = 5.1538e-3',
    source: 'D1; Hochreiter 1991, Bengio et al. 1994',
    cell: scalarRnn(0.9, 1, linear),
    steps: 60,
    initialHidden: null,
    state: 'h',
    lag: 50,
    expected: 50 * Math.log(0.9),
    tolerance: 1e-12,
  },
  {
    id: 'D1.underflow',
    what: 'dh_T/dx at lag 1990 of h = 0.25 h + x: 4^-1990, about 1e-1198, which no float holds',
    source: 'D1 and method.md 2.7',
    cell: scalarRnn(0.25, 1, linear),
    steps: 2000,
    initialHidden: null,
    state: 'h',
    lag: 1990,
    expected: 1990 * Math.log(0.25),
    tolerance: 1e-9,
  },
  {
    id: 'D1.overflow',
    what: 'dh_T/dx at lag 1990 of h = 3 h + x at h = 0: 3^1990, about 1e949',
    source: 'D1 and method.md 2.7',
    cell: scalarRnn(3, 1, linear),
    steps: 2000,
    initialHidden: null,
    state: 'h',
    lag: 1990,
    expected: 1990 * Math.log(3),
    tolerance: 1e-9,
  },
  {
    id: 'D9.latched',
    what: 'dh_T/dx at lag 20 of h = tanh(2h + x) at its attractor .957504: multiplier .166372 although w = 2',
    source: 'D9; Bengio et al. 1994 (latching)',
    cell: scalarRnn(2, 1, { name: 'tanh' }),
    steps: 100,
    initialHidden: Float64Array.of(LATCHED_STATE),
    state: 'h',
    lag: 20,
    expected: 21 * LATCHED_LOG_MULTIPLIER - Math.LN2,
    tolerance: 1e-9,
  },
  {
    id: 'D21.carousel',
    what: 'dc_T/dx at lag 400 of an LSTM with its forget gate open: independent of the lag',
    source: 'D21; Hochreiter and Schmidhuber 1997',
    cell: carouselLstm([0, 100, 0, 0], [1, 0, 1, 0]),
    steps: 500,
    initialHidden: null,
    state: 'c',
    lag: 400,
    expected: Math.log(0.5),
    tolerance: 1e-12,
  },
  {
    id: 'D21.halved',
    what: 'dc_T/dx at lag 12 of the same with b_f = 0: 0.5^12 = 2.441e-4 of lag 0',
    source: 'D21',
    cell: carouselLstm([0, 0, 0, 0], [1, 0, 1, 0]),
    steps: 30,
    initialHidden: null,
    state: 'c',
    lag: 12,
    expected: 13 * Math.log(0.5),
    tolerance: 1e-12,
  },
  {
    id: 'D22.leak',
    what: 'dh_T/dx at lag 10 of a GRU with z = 0.5 and no other weights than the candidate input: 0.5^11',
    source: 'D22; Can et al. 2002.00025',
    cell: {
      kind: 'GRU',
      units: 1,
      inputDim: 1,
      kernel: makeTensor([1, 3], Float64Array.of(0, 0, 1)),
      recurrentKernel: makeTensor([1, 3], new Float64Array(3)),
      bias: null,
      activation: { name: 'tanh' },
      recurrentActivation: { name: 'sigmoid' },
      clip: null,
      resetAfter: true,
    },
    steps: 20,
    initialHidden: null,
    state: 'h',
    lag: 10,
    expected: 11 * Math.log(0.5),
    tolerance: 1e-12,
  },
];
