/**
 * One node computed on constants.
 *
 * Source: ONNX operators of the same names; axes are attributes in old operator sets and inputs in new ones.
 */
import { TempogradError } from '../../../core/errors';
import { sizeOf, type RealTensor } from '../../../core/tensor';
import { checkLimit, type ReadLimits } from '../../limits';
import { broadcast, concat, frontAxis, reshape, slice, squeeze, take, transpose, unsqueeze } from './fold-shapes';
import type { OnnxNode } from './model';

/** Inputs of a node; null for one that is omitted. */
export type FoldInputs = readonly (RealTensor | null)[];

type Fold = (node: OnnxNode, inputs: FoldInputs, limits: ReadLimits) => readonly RealTensor[];

const FLOAT = 1;
const DOUBLE = 11;
const FLOAT16 = 10;
const BFLOAT16 = 16;

const FOLDS: ReadonlyMap<string, Fold> = new Map<string, Fold>([
  ['Identity', (_, inputs) => [need(inputs, 0)]],
  ['Cast', (node, inputs) => [cast(need(inputs, 0), node.attributes.get('to')?.integer ?? FLOAT)]],
  ['Transpose', (node, inputs) => [transpose(need(inputs, 0), integers(node, 'perm') ?? [])]],
  [
    'Reshape',
    (node, inputs) => [
      reshape(
        need(inputs, 0),
        axesOf(node, inputs, 'shape', 1) ?? [],
        (node.attributes.get('allowzero')?.integer ?? 0) !== 0,
      ),
    ],
  ],
  ['Unsqueeze', (node, inputs) => [unsqueeze(need(inputs, 0), axesOf(node, inputs, 'axes', 1) ?? [])]],
  ['Squeeze', (node, inputs) => [squeeze(need(inputs, 0), axesOf(node, inputs, 'axes', 1))]],
  ['Concat', foldConcat],
  ['Slice', foldSlice],
  ['Split', foldSplit],
  ['Gather', foldGather],
  ['Shape', foldShape],
  ['ConstantOfShape', foldConstantOfShape],
  ['Expand', foldExpand],
  ['DequantizeLinear', foldDequantize],
  ['Neg', (_, inputs) => [{ shape: need(inputs, 0).shape, data: need(inputs, 0).data.map((value) => -value) }]],
  ['Add', binary((a, b) => a + b)],
  ['Sub', binary((a, b) => a - b)],
  ['Mul', binary((a, b) => a * b)],
  ['Div', binary((a, b) => a / b)],
]);

/** Operators whose outputs are computed when their inputs are constants. */
export const FOLDED_OPERATORS: ReadonlySet<string> = new Set(FOLDS.keys());

/**
 * The outputs of a node.
 *
 * @param node - A node of `FOLDED_OPERATORS`.
 * @param inputs - Its inputs.
 * @param limits - Caps on what is made.
 * @throws TempogradError `reader/corrupt` where the operator does not fit its inputs, `reader/limit-exceeded`.
 */
export function foldNode(node: OnnxNode, inputs: FoldInputs, limits: ReadLimits): readonly RealTensor[] {
  const fold = FOLDS.get(node.operator);
  if (!fold) throw new TempogradError('cell/unsupported', `Operator ${node.operator} is not computed on constants`);
  return fold(node, inputs, limits);
}

function foldConcat(node: OnnxNode, inputs: FoldInputs, limits: ReadLimits): readonly RealTensor[] {
  const tensors = inputs.map((_, index) => need(inputs, index));
  checkRoom([tensors.reduce((sum, { data }) => sum + data.length, 0)], limits);
  return [concat(tensors, axisOf(node, 0))];
}

function foldGather(node: OnnxNode, inputs: FoldInputs, limits: ReadLimits): readonly RealTensor[] {
  const [tensor, places] = [need(inputs, 0), need(inputs, 1)];
  const axis = frontAxis(axisOf(node, 0), tensor.shape.length);
  checkRoom([...places.shape, ...tensor.shape.filter((_, at) => at !== axis)], limits);
  return [take(tensor, axis, places.data, places.shape)];
}

function foldSlice(node: OnnxNode, inputs: FoldInputs): readonly RealTensor[] {
  const starts = axesOf(node, inputs, 'starts', 1) ?? [];
  const ends = axesOf(node, inputs, 'ends', 2) ?? [];
  const axes = axesOf(node, inputs, 'axes', 3) ?? starts.map((_, axis) => axis);
  const steps = axesOf(node, inputs, 'steps', 4) ?? starts.map(() => 1);
  const sliced = starts.reduce(
    (tensor, start, index) => slice(tensor, axes[index] ?? 0, start, ends[index] ?? 0, steps[index] ?? 1),
    need(inputs, 0),
  );
  return [sliced];
}

const MAX_SHOWN = 8;

function foldSplit(node: OnnxNode, inputs: FoldInputs, limits: ReadLimits): readonly RealTensor[] {
  const tensor = need(inputs, 0);
  const axis = frontAxis(axisOf(node, 0), tensor.shape.length);
  const count = node.outputs.length;
  const even = Math.ceil((tensor.shape[axis] ?? 0) / count);
  const sizes = axesOf(node, inputs, 'split', 1) ?? node.outputs.map(() => even);
  if (sizes.length !== count || !sizes.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw corrupt(`Split into ${String(count)} values cannot cut [${sizes.slice(0, MAX_SHOWN).join(', ')}]`);
  }
  checkRoom(tensor.shape, limits);
  let start = 0;
  return sizes.map((size) => {
    const part = slice(tensor, axis, start, start + size, 1);
    start += size;
    return part;
  });
}

function foldShape(node: OnnxNode, inputs: FoldInputs): readonly RealTensor[] {
  const { shape } = need(inputs, 0);
  const part = shape.slice(
    node.attributes.get('start')?.integer ?? 0,
    node.attributes.get('end')?.integer ?? shape.length,
  );
  return [{ shape: [part.length], data: Float64Array.from(part) }];
}

function foldConstantOfShape(_: OnnxNode, inputs: FoldInputs, limits: ReadLimits): readonly RealTensor[] {
  const shape = Array.from(need(inputs, 0).data);
  checkRoom(shape, limits);
  const value = inputs[1]?.data[0] ?? 0;
  return [{ shape, data: new Float32Array(sizeOf(shape)).fill(value) }];
}

function foldExpand(_: OnnxNode, inputs: FoldInputs, limits: ReadLimits): readonly RealTensor[] {
  const tensor = need(inputs, 0);
  const shape = joinedShape(tensor.shape, Array.from(need(inputs, 1).data));
  checkRoom(shape, limits);
  return [broadcast(tensor, shape)];
}

/** (x - zero point) * scale, for the whole tensor or along an axis. */
function foldDequantize(node: OnnxNode, inputs: FoldInputs): readonly RealTensor[] {
  const tensor = need(inputs, 0);
  const scale = need(inputs, 1);
  const zero = inputs[2] ?? { shape: [], data: new Float32Array(1) };
  let [inner, count] = [tensor.data.length, 1];
  for (const { shape, data } of [scale, zero]) {
    if (data.length === 1) continue;
    if (shape.length !== 1) throw corrupt('DequantizeLinear in blocks is not computed on constants');
    const axis = frontAxis(axisOf(node, 1), tensor.shape.length);
    if (tensor.shape[axis] !== data.length) {
      throw corrupt(`[${shape.join(', ')}] does not fit [${tensor.shape.join(', ')}]`);
    }
    [inner, count] = [sizeOf(tensor.shape.slice(axis + 1)), data.length];
  }
  const values = new Float32Array(tensor.data.length);
  for (let start = 0, row = 0; start < values.length; start += inner, row = (row + 1) % count) {
    const by = scale.data[scale.data.length === 1 ? 0 : row] ?? NaN;
    const from = zero.data[zero.data.length === 1 ? 0 : row] ?? NaN;
    const end = start + inner;
    for (let at = start; at < end; at++) values[at] = ((tensor.data[at] ?? NaN) - from) * by;
  }
  return [{ shape: tensor.shape, data: values }];
}

function binary(join: (a: number, b: number) => number): Fold {
  return (_, inputs, limits) => {
    const [a, b] = [need(inputs, 0), need(inputs, 1)];
    const shape = joinedShape(a.shape, b.shape);
    checkRoom(shape, limits);
    const [left, right] = [widened(a, shape), widened(b, shape)];
    const isDouble = left instanceof Float64Array || right instanceof Float64Array;
    const data = isDouble ? new Float64Array(sizeOf(shape)) : new Float32Array(sizeOf(shape));
    const [leftStep, rightStep] = [left.length === 1 ? 0 : 1, right.length === 1 ? 0 : 1];
    for (let at = 0; at < data.length; at++) data[at] = join(left[at * leftStep] ?? NaN, right[at * rightStep] ?? NaN);
    return [{ shape, data }];
  };
}

/** The numbers for each entry of a shape; a single one stays alone, and what fits is not copied. */
function widened(tensor: RealTensor, shape: readonly number[]): RealTensor['data'] {
  if (tensor.data.length === 1 || tensor.data.length === sizeOf(shape)) return tensor.data;
  return broadcast(tensor, shape).data;
}

function joinedShape(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [left, right] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    return left === 1 ? right : left;
  });
}

function cast(tensor: RealTensor, to: number): RealTensor {
  const { shape, data } = tensor;
  if (to === DOUBLE) return { shape, data: Float64Array.from(data) };
  if (to === FLOAT) return { shape, data: Float32Array.from(data) };
  if (to === FLOAT16 || to === BFLOAT16) {
    throw new TempogradError('cell/unsupported', 'A cast to 16 bits is not computed on constants');
  }
  return { shape, data: Float64Array.from(data, (value) => (to === 9 ? Number(value !== 0) : Math.trunc(value))) };
}

function checkRoom(shape: readonly number[], limits: ReadLimits): void {
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0))
    throw corrupt(`There is no shape [${shape.join(', ')}]`);
  checkLimit('Size of a computed constant in bytes', 8 * sizeOf(shape), 'maxTensorBytes', limits);
}

function need(inputs: FoldInputs, index: number): RealTensor {
  const tensor = inputs[index];
  if (tensor) return tensor;
  throw corrupt(`An operator on constants lacks its input ${String(index)}`);
}

function integers(node: OnnxNode, name: string): readonly number[] | null {
  const attribute = node.attributes.get(name);
  return attribute && attribute.integers.length > 0 ? attribute.integers : null;
}

function axesOf(node: OnnxNode, inputs: FoldInputs, name: string, input: number): readonly number[] | null {
  const tensor = inputs[input];
  return tensor ? Array.from(tensor.data) : integers(node, name);
}

function axisOf(node: OnnxNode, usual: number): number {
  return node.attributes.get('axis')?.integer ?? usual;
}

function corrupt(message: string): TempogradError {
  return new TempogradError('reader/corrupt', message);
}
