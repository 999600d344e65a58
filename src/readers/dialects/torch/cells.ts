/**
 * One cell of PyTorch in canonical form: kernels transposed, gate blocks put into Keras's order, biases joined.
 *
 * Source: torch/nn/modules/rnn.py: gates i f g o and r z n; a GRU applies its reset gate after the product.
 */
import { TempogradError } from '../../../core/errors';
import type { ActivationDescription } from '../../../core/activations';
import { blockNames } from '../../../core/diagnostics/gate-blocks';
import { PLAIN_LSTM, type CellDescription, type CellKind } from '../../../core/model';
import type { RealTensor } from '../../../core/tensor';
import { transposeBlocks } from '../gate-blocks';
import type { TorchCellTensors } from './find-modules';

/** Kind and sizes of a cell, told by shapes. */
export interface TorchCellShape {
  readonly kind: CellKind;
  readonly units: number;
  readonly inputDim: number;
  /** Units of h: `units`, or `proj_size`. */
  readonly outputSize: number;
}

/** The numbers of a cell, as PyTorch stores them. */
export type TorchCellNumbers = { readonly [K in keyof TorchCellTensors]: RealTensor | null } & {
  readonly weightIh: RealTensor;
  readonly weightHh: RealTensor;
};

const KINDS: Readonly<Record<number, CellKind>> = { 1: 'SimpleRNN', 3: 'GRU', 4: 'LSTM' };

/** Where each canonical block stands in the file. */
const BLOCK_ORDER: Readonly<Record<CellKind, readonly number[]>> = {
  SimpleRNN: [0],
  LSTM: [0, 1, 2, 3],
  // z r n from r z n.
  GRU: [1, 0, 2],
};

/**
 * The blocks of rows of a matrix in canonical order: where each stands in the file, and its name.
 *
 * @param kind - Kind of cell.
 * @param matrix - A kernel has a block for each gate, a projection is one.
 */
export function torchBlocks(
  kind: CellKind,
  matrix: 'kernel' | 'projection',
): { readonly order: readonly number[]; readonly names: readonly string[] } {
  return matrix === 'projection' ? { order: [0], names: ['h'] } : { order: BLOCK_ORDER[kind], names: blockNames(kind) };
}

/** Names of the gate blocks in the order of the file. */
export const TORCH_GATES: Readonly<Record<CellKind, readonly string[]>> = {
  SimpleRNN: [],
  LSTM: ['i', 'f', 'g', 'o'],
  GRU: ['r', 'z', 'n'],
};

/**
 * Kind and sizes of a cell.
 *
 * @param cell - Its tensors.
 * @param layer - Its layer, for messages.
 * @throws TempogradError `cell/shape-mismatch` naming the tensor that does not fit.
 */
export function shapeOfTorchCell(cell: TorchCellTensors, layer: string): TorchCellShape {
  const { weightIh, weightHh, weightHr } = cell;
  const [rows = 0, outputSize = 0] = weightHh.shape;
  const projected = weightHr?.shape[1] ?? null;
  const units = projected ?? outputSize;
  const kind = units > 0 ? KINDS[rows / units] : undefined;
  const inputDim = weightIh.shape[1] ?? 0;
  if (weightHh.shape.length !== 2 || kind === undefined || (projected !== null && kind !== 'LSTM')) {
    throw mismatch(layer, weightHh.name, weightHh.shape, '[G*H, H] with G = 1, 3 or 4');
  }
  expectShape(layer, weightIh, [rows, inputDim]);
  for (const bias of [cell.biasIh, cell.biasHh]) if (bias) expectShape(layer, bias, [rows]);
  if (weightHr) expectShape(layer, weightHr, [outputSize, units]);
  if (inputDim === 0) throw mismatch(layer, weightIh.name, weightIh.shape, '[G*H, D]');
  return { kind, units, inputDim, outputSize };
}

/**
 * The cell in canonical form.
 *
 * @param numbers - Its tensors, read.
 * @param shape - Its kind and sizes.
 * @param nonlinearity - Of an `nn.RNN`; the other kinds have tanh and sigmoid.
 */
export function makeTorchCell(
  numbers: TorchCellNumbers,
  { kind, units, inputDim, outputSize }: TorchCellShape,
  nonlinearity: ActivationDescription,
): CellDescription {
  const order = BLOCK_ORDER[kind];
  const sizes = {
    units,
    inputDim,
    kernel: transposeBlocks(numbers.weightIh, order),
    recurrentKernel: transposeBlocks(numbers.weightHh, order),
    clip: null,
  };
  if (sizes.recurrentKernel.shape[0] !== outputSize) throw new Error('a recurrent kernel has a row for each unit of h');
  const tanh = { name: 'tanh' } as const;
  const sigmoid = { name: 'sigmoid' } as const;
  if (kind === 'GRU') {
    const bias = joinRows(orderBias(numbers.biasIh, order, units), orderBias(numbers.biasHh, order, units), 3 * units);
    return { kind, ...sizes, bias, activation: tanh, recurrentActivation: sigmoid, resetAfter: true };
  }
  const bias = addBiases(numbers.biasIh, numbers.biasHh);
  if (kind === 'SimpleRNN') return { kind, ...sizes, bias, activation: nonlinearity };
  return {
    kind,
    ...PLAIN_LSTM,
    ...sizes,
    bias,
    projection: numbers.weightHr ? transposeBlocks(numbers.weightHr, [0]) : null,
    activation: tanh,
    recurrentActivation: sigmoid,
    outputActivation: tanh,
  };
}

/** b_ih + b_hh in float64: rounding the sum of two float32 numbers would change the model. */
function addBiases(first: RealTensor | null, second: RealTensor | null): RealTensor | null {
  if (!first || !second) return first ?? second;
  return {
    shape: first.shape,
    data: Float64Array.from(first.data, (value, index) => value + (second.data[index] ?? NaN)),
  };
}

function orderBias(bias: RealTensor | null, order: readonly number[], units: number): RealTensor | null {
  if (!bias) return null;
  const data = bias.data.slice();
  for (const [block, from] of order.entries()) {
    data.set(bias.data.subarray(from * units, (from + 1) * units), block * units);
  }
  return { shape: bias.shape, data };
}

/** `[2, 3H]`: the input row and the recurrent row of a GRU; zeros for one that the file leaves out. */
function joinRows(input: RealTensor | null, recurrent: RealTensor | null, width: number): RealTensor | null {
  if (!input && !recurrent) return null;
  const isDouble = input?.data instanceof Float64Array || recurrent?.data instanceof Float64Array;
  const data = isDouble ? new Float64Array(2 * width) : new Float32Array(2 * width);
  if (input) data.set(input.data, 0);
  if (recurrent) data.set(recurrent.data, width);
  return { shape: [2, width], data };
}

function expectShape(
  layer: string,
  { name, shape }: { readonly name: string; readonly shape: readonly number[] },
  expected: readonly number[],
): void {
  if (shape.length === expected.length && expected.every((size, axis) => size === shape[axis])) return;
  throw mismatch(layer, name, shape, `[${expected.join(', ')}]`);
}

function mismatch(layer: string, tensor: string, shape: readonly number[], expected: string): TempogradError {
  return new TempogradError(
    'cell/shape-mismatch',
    `Layer ${layer}: tensor ${tensor} has shape [${shape.join(', ')}], expected ${expected}`,
    { details: { layer, tensor, actual: [...shape] } },
  );
}
