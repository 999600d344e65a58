/** Seeded cells and inputs for the tests of the core; weights of the size that Keras initialises to. */
import type { ActivationDescription } from '../../src/core/activations';
import type { CellDescription, CellKind } from '../../src/core/model';
import { makeRandom } from '../../src/core/random';
import { makeTensor, sizeOf, type RealTensor } from '../../src/core/tensor';

/** What a random cell may be told. */
export interface RandomCellOptions {
  readonly kind: CellKind;
  readonly units?: number;
  readonly inputDim?: number;
  readonly seed?: number;
  readonly activation?: ActivationDescription;
  readonly recurrentActivation?: ActivationDescription;
  readonly resetAfter?: boolean;
  readonly hasBias?: boolean;
  /** Standard deviation of the recurrent kernel, times 1/sqrt(H). */
  readonly gain?: number;
  readonly clip?: number | null;
  readonly hasPeepholes?: boolean;
  /** P of an LSTM's projection. */
  readonly projected?: number | null;
  readonly inputForget?: boolean;
  readonly outputActivation?: ActivationDescription;
}

/** Standard normal values. */
export function normals(count: number, seed: number, scale = 1): Float64Array {
  const random = makeRandom(seed);
  return Float64Array.from({ length: count }, () => scale * random.nextNormal());
}

/** A cell with random weights. */
export function randomCell(options: RandomCellOptions): CellDescription {
  const { kind, units = 4, inputDim = 3, seed = 1, resetAfter = true, hasBias = true, gain = 1 } = options;
  const gates = { SimpleRNN: 1, LSTM: 4, GRU: 3 }[kind];
  const tensor = (shape: number[], offset: number, scale: number): RealTensor =>
    makeTensor(shape, normals(sizeOf(shape), 10 * seed + offset, scale));
  const biasShape = kind === 'GRU' && resetAfter ? [2, gates * units] : [gates * units];
  const base = {
    units,
    inputDim,
    kernel: tensor([inputDim, gates * units], 1, 1 / Math.sqrt(inputDim)),
    recurrentKernel: tensor([options.projected ?? units, gates * units], 2, gain / Math.sqrt(units)),
    bias: hasBias ? tensor(biasShape, 3, 0.3) : null,
    activation: options.activation ?? ({ name: 'tanh' } as const),
    clip: options.clip ?? null,
  };
  const recurrentActivation = options.recurrentActivation ?? { name: 'sigmoid' };
  if (kind === 'SimpleRNN') return { kind, ...base };
  if (kind === 'LSTM') {
    return {
      kind,
      ...base,
      recurrentActivation,
      outputActivation: options.outputActivation ?? base.activation,
      peepholes: options.hasPeepholes ? tensor([3 * units], 4, 0.7) : null,
      projection: options.projected ? tensor([units, options.projected], 5, 1 / Math.sqrt(units)) : null,
      inputForget: options.inputForget ?? false,
    };
  }
  return { kind, ...base, recurrentActivation, resetAfter };
}

/** A scalar SimpleRNN h = phi(w h + u x + b). */
export function scalarRnn(w: number, u: number, activation: ActivationDescription, b = 0): CellDescription {
  return {
    kind: 'SimpleRNN',
    units: 1,
    inputDim: 1,
    kernel: makeTensor([1, 1], Float64Array.of(u)),
    recurrentKernel: makeTensor([1, 1], Float64Array.of(w)),
    bias: makeTensor([1], Float64Array.of(b)),
    activation,
    clip: null,
  };
}

/** max |a - b|; NaN counts as Infinity. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let at = 0; at < a.length; at++) {
    const difference = Math.abs(a[at] - b[at]);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
  }
  return largest;
}
