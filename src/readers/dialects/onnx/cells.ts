/**
 * One direction of a recurrent node in canonical form: kernels transposed, gate blocks in Keras's order, biases joined.
 *
 * Source: ONNX operators RNN, GRU and LSTM, opset 22: gates i o f c and z r h, peepholes i o f, bias Wb then Rb.
 */
import { TempogradError } from '../../../core/errors';
import type { ActivationDescription } from '../../../core/activations';
import type { CellDescription, CellKind } from '../../../core/model';
import type { RealTensor } from '../../../core/tensor';
import { transposeBlocks } from '../gate-blocks';

/** Operators by name. */
export const ONNX_CELLS: Readonly<Record<string, CellKind>> = { RNN: 'SimpleRNN', GRU: 'GRU', LSTM: 'LSTM' };

/** Names of the gate blocks in the order of the file. */
export const ONNX_GATES: Readonly<Record<CellKind, readonly string[]>> = {
  SimpleRNN: [],
  LSTM: ['i', 'o', 'f', 'c'],
  GRU: ['z', 'r', 'h'],
};

/** Where each canonical block stands in the file. */
const BLOCK_ORDER: Readonly<Record<CellKind, readonly number[]>> = {
  SimpleRNN: [0],
  LSTM: [0, 2, 3, 1],
  GRU: [0, 1, 2],
};

const PEEPHOLE_ORDER = [0, 2, 1];

/** Tensors of a node: W `[dirs, G*H, D]`, R `[dirs, G*H, H]`, B `[dirs, 2*G*H]`, P `[dirs, 3*H]`. */
export interface OnnxCellTensors<T> {
  readonly kernel: T;
  readonly recurrent: T;
  readonly bias: T | null;
  readonly peepholes: T | null;
}

/** Numbers of a node: kernels of each direction `[D, G*H]` and `[H, G*H]` in canonical order, B and P as they are. */
export interface OnnxCellWeights {
  readonly kernels: readonly RealTensor[];
  readonly recurrentKernels: readonly RealTensor[];
  readonly bias: RealTensor | null;
  readonly peepholes: RealTensor | null;
}

/** What the attributes of a node say of one direction. */
export interface OnnxCellOptions {
  readonly kind: CellKind;
  readonly clip: number | null;
  readonly inputForget: boolean;
  readonly linearBeforeReset: boolean;
  /** f; f g; f g h. */
  readonly activations: readonly ActivationDescription[];
}

/** H, D and the number of directions. */
export interface OnnxCellShape {
  readonly units: number;
  readonly inputDim: number;
}

interface Shaped {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * Sizes of a node's cells.
 *
 * @param tensors - Its tensors.
 * @param kind - Its kind.
 * @param directions - 1 or 2, as its attribute says.
 * @param layer - For messages.
 * @throws TempogradError `cell/shape-mismatch` naming the tensor that does not fit.
 */
export function shapeOfOnnxCell(
  tensors: OnnxCellTensors<Shaped>,
  kind: CellKind,
  directions: number,
  layer: string,
): OnnxCellShape {
  const { kernel, recurrent, bias, peepholes } = tensors;
  const gates = BLOCK_ORDER[kind].length;
  const units = recurrent.shape[2] ?? 0;
  const inputDim = kernel.shape[2] ?? 0;
  if (units === 0) throw mismatch(layer, recurrent, '[directions, G*H, H]');
  if (inputDim === 0) throw mismatch(layer, kernel, '[directions, G*H, D]');
  expectShape(layer, recurrent, [directions, gates * units, units]);
  expectShape(layer, kernel, [directions, gates * units, inputDim]);
  if (bias) expectShape(layer, bias, [directions, 2 * gates * units]);
  if (peepholes) expectShape(layer, peepholes, [directions, 3 * units]);
  return { units, inputDim };
}

/**
 * The canonical kernel of each direction. One kernel at a time is turned, so that it is held twice for that long only.
 *
 * @param tensor - W or R, `[directions, G*H, columns]`.
 * @param kind - The kind of cell.
 */
export function turnOnnxKernel(tensor: RealTensor, kind: CellKind): readonly RealTensor[] {
  const [directions = 0, rows = 0, columns = 0] = tensor.shape;
  return Array.from({ length: directions }, (_, direction) =>
    transposeBlocks(sliceOf(tensor, direction, [rows, columns]), BLOCK_ORDER[kind]),
  );
}

/**
 * The cell of one direction in canonical form.
 *
 * @param tensors - The node's tensors, read.
 * @param shape - Sizes.
 * @param direction - Its number on the first axis.
 * @param options - What the attributes say.
 */
export function makeOnnxCell(
  tensors: OnnxCellWeights,
  { units, inputDim }: OnnxCellShape,
  direction: number,
  { kind, clip, inputForget, linearBeforeReset, activations }: OnnxCellOptions,
): CellDescription {
  const order = BLOCK_ORDER[kind];
  const rows = order.length * units;
  const sizes = {
    units,
    inputDim,
    kernel: tensors.kernels[direction] ?? NO_KERNEL,
    recurrentKernel: tensors.recurrentKernels[direction] ?? NO_KERNEL,
    clip,
  };
  const both = tensors.bias && sliceOf(tensors.bias, direction, [2, rows]);
  const bias = both && reorder(both, order, units);
  const [first = TANH, second = TANH, third = TANH] = activations;
  if (kind === 'SimpleRNN') return { kind, ...sizes, bias: bias && addRows(bias), activation: first };
  if (kind === 'GRU') {
    return {
      kind,
      ...sizes,
      bias: bias && (linearBeforeReset ? bias : addRows(bias)),
      recurrentActivation: first,
      activation: second,
      resetAfter: linearBeforeReset,
    };
  }
  const peepholes = tensors.peepholes && sliceOf(tensors.peepholes, direction, [1, 3 * units]);
  return {
    kind,
    ...sizes,
    bias: bias && addRows(bias),
    recurrentActivation: first,
    activation: second,
    outputActivation: third,
    peepholes: peepholes && { shape: [3 * units], data: reorder(peepholes, PEEPHOLE_ORDER, units).data },
    projection: null,
    inputForget,
  };
}

const NO_KERNEL: RealTensor = { shape: [0, 0], data: new Float32Array(0) };
const TANH: ActivationDescription = { name: 'tanh' };

/** One entry of the first axis, not copied. */
function sliceOf({ data }: RealTensor, index: number, shape: readonly number[]): RealTensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, data: data.subarray(index * size, (index + 1) * size) };
}

/** Blocks of each row of `[rows, blocks*H]` put in another order. */
function reorder({ shape, data }: RealTensor, order: readonly number[], units: number): RealTensor {
  const [rows = 0, width = 0] = shape;
  const moved = data.slice();
  for (let row = 0; row < rows; row++) {
    for (const [block, from] of order.entries()) {
      const start = row * width + from * units;
      moved.set(data.subarray(start, start + units), row * width + block * units);
    }
  }
  return { shape, data: moved };
}

/** Wb + Rb, whose sum float32 would round. */
function addRows({ shape, data }: RealTensor): RealTensor {
  const width = shape[1] ?? 0;
  const sum = Float64Array.from({ length: width }, (_, index) => (data[index] ?? NaN) + (data[width + index] ?? NaN));
  return { shape: [width], data: sum };
}

function expectShape(layer: string, tensor: Shaped, expected: readonly number[]): void {
  const { shape } = tensor;
  if (shape.length === expected.length && expected.every((size, axis) => size === shape[axis])) return;
  throw mismatch(layer, tensor, `[${expected.join(', ')}]`);
}

function mismatch(layer: string, { name, shape }: Shaped, expected: string): TempogradError {
  return new TempogradError(
    'cell/shape-mismatch',
    `Layer ${layer}: tensor ${name} has shape [${shape.join(', ')}], expected ${expected}`,
    { details: { layer, tensor: name, actual: [...shape] } },
  );
}
