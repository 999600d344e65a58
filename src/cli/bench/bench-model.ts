/** The seeded models of the benchmark: a lone cell, or layers of two directions on one another. */
import { PLAIN_LSTM, type CellDescription, type CellKind, type RecurrentModel } from '../../core/model';
import { makeRandom, type RandomSource } from '../../core/random';
import { makeTensor, type RealTensor } from '../../core/tensor';
import { wholeSequence } from '../../core/whole-sequence';

/** Seed of the weights of the lone cell and of the first cell of a stack; the others count on from it. */
const WEIGHT_SEED = 0;

/** Seed of the input, beyond those of any stack. */
const INPUT_SEED = 1000;

/** Gate blocks of a kernel. */
const GATES: Readonly<Record<CellKind, number>> = { SimpleRNN: 1, GRU: 3, LSTM: 4 };

/** Sizes of a model with its input. */
export interface ModelSizes {
  readonly kind: CellKind;
  readonly units: number;
  readonly inputDim: number;
  readonly steps: number;
  readonly batch: number;
  /** Bidirectional layers on one another; 0 for one cell alone. */
  readonly layers: number;
}

/**
 * A Keras-like cell with seeded weights: kernels of variance 1/inputs, forget bias 1.
 *
 * @param units - H
 * @param inputDim - D
 * @param kind - Which cell.
 * @param seed - Of the weights.
 */
export function benchCell(units: number, inputDim: number, kind: CellKind, seed = WEIGHT_SEED): CellDescription {
  const random = makeRandom(seed);
  const width = GATES[kind] * units;
  const common = {
    units,
    inputDim,
    kernel: makeTensor([inputDim, width], normal(random, inputDim * width, 1 / Math.sqrt(inputDim))),
    recurrentKernel: makeTensor([units, width], normal(random, units * width, 1 / Math.sqrt(units))),
    activation: { name: 'tanh' },
    clip: null,
  } as const;
  if (kind === 'SimpleRNN') return { kind, ...common, bias: null };
  const recurrentActivation = { name: 'sigmoid' } as const;
  if (kind === 'GRU') return { kind, ...common, bias: null, recurrentActivation, resetAfter: true };
  const bias = new Float32Array(width);
  bias.fill(1, units, 2 * units);
  const outputActivation = { name: 'tanh' } as const;
  return { ...PLAIN_LSTM, kind, ...common, bias: makeTensor([width], bias), recurrentActivation, outputActivation };
}

/**
 * The cells of a model, forward before backward, layer after layer; one alone where there are no layers.
 *
 * @param sizes - Sizes of the model.
 */
export function benchCells({ kind, units, inputDim, layers }: ModelSizes): readonly CellDescription[] {
  if (layers === 0) return [benchCell(units, inputDim, kind)];
  return Array.from({ length: 2 * layers }, (_, at) =>
    benchCell(units, at < 2 ? inputDim : 2 * units, kind, WEIGHT_SEED + at),
  );
}

/**
 * The cells as a model of Bidirectional layers over an input layer.
 *
 * @param cells - As `benchCells` gives them for a model of layers.
 */
export function benchStack(cells: readonly CellDescription[]): RecurrentModel {
  const input = {
    ...{ name: 'input', className: 'InputLayer', inputs: [], weights: [], origin: { path: '', sourceGateOrder: [] } },
    operation: { kind: 'input', shape: [null, cells[0]!.inputDim], integer: false },
  } as const;
  const layers = Array.from({ length: cells.length / 2 }, (_, at) => ({
    ...{ name: `layer${at + 1}`, className: 'Bidirectional', inputs: [{ layer: at, output: 0 }], weights: [] },
    operation: wholeSequence(cells[2 * at]!, cells[2 * at + 1]!),
    origin: { path: '', sourceGateOrder: [] },
  }));
  return {
    ...{ format: 'keras-v3', producer: 'tempograd bench', assumptions: [], warnings: [] },
    layers: [input, ...layers],
    inputs: [0],
  };
}

/**
 * Seeded standard-normal input, `[B, T, D]`.
 *
 * @param sizes - Sizes of the model.
 */
export function benchInput({ batch, steps, inputDim }: ModelSizes): RealTensor {
  return makeTensor([batch, steps, inputDim], normal(makeRandom(INPUT_SEED), batch * steps * inputDim, 1));
}

function normal(random: RandomSource, size: number, scale: number): Float32Array {
  return Float32Array.from({ length: size }, () => random.nextNormal() * scale);
}
