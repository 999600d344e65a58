/**
 * Nodes below and between recurrent ones: operators -> plain operations, with the axes of what they give.
 *
 * One table of operators, and therefore long. Source: ONNX operators of the same names.
 */
import type { ActivationDescription } from '../../../core/activations';
import type { PlainOperation } from '../../../core/model';
import type { RealTensor } from '../../../core/tensor';
import { unsupported } from '../../reading';
import { DIRECTIONS, ONE, squeezeAxes, transposeAxes, unsqueezeAxes, type Axes } from './axes';
import { frontAxis, transpose } from './fold-shapes';
import type { OnnxNode } from './model';
import {
  readExpand,
  readFlatten,
  readReshape,
  readReverse,
  readSlice,
  readSplit,
  readTile,
  takePlaces,
} from './plain-moves';
import {
  expectFeaturesLast,
  first,
  float,
  integer,
  integers,
  onward,
  rankOf,
  type GraphValue,
  type PlainNode,
  type PlainSource,
} from './plain-source';
import { readConv, readPad, readPool } from './plain-windows';

type PlainReader = (source: PlainSource) => Promise<PlainNode> | PlainNode;

const ACTIVATIONS: Readonly<Record<string, (node: OnnxNode) => ActivationDescription>> = {
  Relu: () => ({ name: 'relu' }),
  Tanh: () => ({ name: 'tanh' }),
  Sigmoid: () => ({ name: 'sigmoid' }),
  Softplus: () => ({ name: 'softplus' }),
  Softsign: () => ({ name: 'softsign' }),
  Exp: () => ({ name: 'exponential' }),
  Mish: () => ({ name: 'mish' }),
  HardSwish: () => ({ name: 'hard_silu' }),
  LeakyRelu: (node) => ({ name: 'leaky_relu', negativeSlope: float(node, 'alpha', 0.01) }),
  Elu: (node) => ({ name: 'elu', alpha: float(node, 'alpha', 1) }),
  Celu: (node) => ({ name: 'celu', alpha: float(node, 'alpha', 1) }),
  ThresholdedRelu: (node) => ({ name: 'threshold', threshold: float(node, 'alpha', 1), alpha: 0 }),
  Gelu: (node) => ({ name: node.attributes.get('approximate')?.text === 'tanh' ? 'gelu_tanh' : 'gelu' }),
  HardSigmoid: (node) => ({ name: 'hard_sigmoid', slope: float(node, 'alpha', 0.2), offset: float(node, 'beta', 0.5) }),
};

const READERS: ReadonlyMap<string, PlainReader> = new Map<string, PlainReader>([
  ...Object.entries(ACTIVATIONS).map(([name, make]): readonly [string, PlainReader] => [
    name,
    (source) => onward(first(source), [{ kind: 'activation', activation: make(source.node) }]),
  ]),
  ['Identity', same],
  ['Dropout', same],
  ['Cast', same],
  ['Transpose', (source) => seen(source, (x) => transposeAxes(x.axes, integers(source.node, 'perm')))],
  ['Squeeze', async (source) => seenBy(source, await axesOf(source), (x, axes) => squeezeAxes(x.axes, axes))],
  ['Unsqueeze', async (source) => seenBy(source, await axesOf(source), (x, axes) => unsqueezeAxes(x.axes, axes ?? []))],
  ['Reshape', readReshape],
  ['Slice', readSlice],
  ['Split', readSplit],
  ['Tile', readTile],
  ['Expand', readExpand],
  ['Flatten', readFlatten],
  ['ReverseSequence', readReverse],
  ['Pad', readPad],
  ['MaxPool', (source) => readPool(source, 'max')],
  ['AveragePool', (source) => readPool(source, 'average')],
  ['MatMul', readMatMul],
  ['Gemm', readGemm],
  ['Gather', readGather],
  ['Add', (source) => readArithmetic(source, 'add')],
  ['Sub', (source) => readArithmetic(source, 'subtract')],
  ['Mul', (source) => readArithmetic(source, 'multiply')],
  ['Div', (source) => readArithmetic(source, 'divide')],
  ['LayerNormalization', readLayerNormalization],
  ['BatchNormalization', readBatchNormalization],
  ['Softmax', readSoftmax],
  ['Concat', readConcat],
  ['Conv', readConv],
]);

/**
 * What a node becomes.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported` with the reason.
 */
export async function readPlainNode(source: PlainSource): Promise<PlainNode> {
  const read = source.node.domain === '' ? READERS.get(source.node.operator) : undefined;
  if (!read) throw unsupported(`its operator ${source.node.operator} is not known below a recurrent layer`);
  return read(source);
}

function same(source: PlainSource): PlainNode {
  return onward(first(source), []);
}

function seen(source: PlainSource, axes: (value: GraphValue) => Axes): PlainNode {
  const value = first(source);
  return { operations: [], inputs: [value], axes: axes(value), width: value.width };
}

function seenBy(
  source: PlainSource,
  places: readonly number[] | null,
  axes: (value: GraphValue, places: readonly number[] | null) => Axes,
): PlainNode {
  return seen(source, (value) => axes(value, places));
}

async function axesOf({ node, constant }: PlainSource): Promise<readonly number[] | null> {
  const tensor = await constant(1);
  if (tensor) return Array.from(tensor.data);
  const said = integers(node, 'axes');
  return said.length > 0 ? said : null;
}

async function readMatMul(source: PlainSource): Promise<PlainNode> {
  const kernel = await source.constant(1);
  if (kernel?.shape.length !== 2) throw unsupported('it multiplies by what is no stored matrix');
  return dense(first(source), kernel, null);
}

async function readGemm(source: PlainSource): Promise<PlainNode> {
  const { node } = source;
  const [stored, bias] = [await source.constant(1), await source.constant(2)];
  if (stored?.shape.length !== 2) throw unsupported('it multiplies by what is no stored matrix');
  if (source.node.inputs[2] && !bias) throw unsupported('its bias is not stored');
  const isPlain = float(node, 'alpha', 1) === 1 && float(node, 'beta', 1) === 1 && integer(node, 'transA', 0) === 0;
  if (!isPlain) throw unsupported('it has factors, or turns its input');
  const kernel = integer(node, 'transB', 0) !== 0 ? transpose(stored, []) : stored;
  if (bias && bias.data.length !== kernel.shape[1]) throw unsupported('its bias is no vector of its units');
  return dense(first(source), kernel, bias && { shape: [bias.data.length], data: bias.data });
}

function dense(value: GraphValue, kernel: RealTensor, bias: RealTensor | null): PlainNode {
  expectFeaturesLast(value);
  const activation = { name: 'linear' } as const;
  return onward(value, [{ kind: 'dense', kernel, bias, activation }], kernel.shape[1] ?? null);
}

async function readGather(source: PlainSource): Promise<PlainNode> {
  const table = await source.constant(0);
  const indices = source.values[1];
  if (!table || !indices) return takePlaces(source);
  if (table.shape.length !== 2 || integer(source.node, 'axis', 0) !== 0) throw unsupported('its table is no [V, D]');
  if (indices.axes.includes(DIRECTIONS)) throw unsupported('its indices have directions');
  return {
    operations: [{ kind: 'embedding', table, maskZero: false }],
    inputs: [indices],
    axes: [...indices.axes, rankOf(indices)],
    width: table.shape[1] ?? null,
  };
}

type Arithmetic = 'add' | 'subtract' | 'multiply' | 'divide';

async function readArithmetic(source: PlainSource, operation: Arithmetic): Promise<PlainNode> {
  const [left = null, right = null] = source.values;
  if (left && right) {
    if (operation === 'divide') throw unsupported('it divides two values that depend on the input');
    if (left.axes.join() !== right.axes.join()) throw unsupported('it joins values of different axes');
    return { operations: [{ kind: 'merge', operation }], inputs: [left, right], axes: left.axes, width: left.width };
  }
  const value = first(source);
  const constant = await source.constant(left ? 1 : 0);
  if (!constant) throw unsupported('one of its inputs cannot be told');
  if (!left && operation === 'divide') throw unsupported('it divides by a value that depends on the input');
  const { axis, data } = along(value, constant);
  const { scale, offset } = factors(operation, data, left === null);
  const shape = [data.length];
  const affine: PlainOperation = {
    kind: 'affine',
    axis,
    scale: { shape, data: scale },
    offset: { shape, data: offset },
  };
  return onward(value, [affine]);
}

/** The one axis along which a constant varies. */
function along(value: GraphValue, { shape, data }: RealTensor): { readonly axis: number; readonly data: Float64Array } {
  const numbers = Float64Array.from(data);
  const places = shape.flatMap((size, place) => (size === 1 ? [] : [place]));
  const [place] = places;
  if (place === undefined) return { axis: Math.max(...value.axes), data: numbers };
  const axis = value.axes[place - shape.length + value.axes.length] ?? ONE;
  const isHalf = value.axes.includes(DIRECTIONS) && axis === Math.max(...value.axes);
  if (places.length > 1 || axis <= 0 || isHalf) throw unsupported('it joins a constant of several axes');
  return { axis, data: numbers };
}

function factors(operation: Arithmetic, data: Float64Array, isConstantFirst: boolean) {
  const ones = data.map(() => 1);
  const zeros = data.map(() => 0);
  if (operation === 'add') return { scale: ones, offset: data };
  if (operation === 'multiply') return { scale: data, offset: zeros };
  if (operation === 'divide') return { scale: data.map((value) => 1 / value), offset: zeros };
  return isConstantFirst
    ? { scale: data.map(() => -1), offset: data }
    : { scale: ones, offset: data.map((value) => -value) };
}

async function readLayerNormalization(source: PlainSource): Promise<PlainNode> {
  const value = first(source);
  expectFeaturesLast(value);
  if (frontAxis(integer(source.node, 'axis', -1), value.axes.length) !== value.axes.length - 1) {
    throw unsupported('it normalizes over several axes');
  }
  const [gamma, beta] = [await source.constant(1), await source.constant(2)];
  const epsilon = float(source.node, 'epsilon', 1e-5);
  return onward(value, [{ kind: 'layer-normalization', axes: [-1], epsilon, gamma, beta, rms: false }]);
}

async function readBatchNormalization(source: PlainSource): Promise<PlainNode> {
  const value = first(source);
  const axis = value.axes[1] ?? ONE;
  const [gamma, beta, mean, variance] = [
    await source.constant(1),
    await source.constant(2),
    await source.constant(3),
    await source.constant(4),
  ];
  if (!gamma || !beta || !mean || !variance) throw unsupported('its statistics are not stored');
  if (axis <= 0 || value.axes.includes(DIRECTIONS)) throw unsupported('it normalizes an axis that cannot be told');
  const epsilon = float(source.node, 'epsilon', 1e-5);
  const scale = Float64Array.from(gamma.data, (entry, at) => entry / Math.sqrt((variance.data[at] ?? NaN) + epsilon));
  const offset = Float64Array.from(beta.data, (entry, at) => entry - (mean.data[at] ?? NaN) * (scale[at] ?? NaN));
  const shape = [scale.length];
  return onward(value, [{ kind: 'affine', axis, scale: { shape, data: scale }, offset: { shape, data: offset } }]);
}

function readSoftmax(source: PlainSource): PlainNode {
  const value = first(source);
  const axis = value.axes[frontAxis(integer(source.node, 'axis', -1), value.axes.length)] ?? ONE;
  if (axis <= 0 || value.axes.includes(DIRECTIONS)) throw unsupported('it runs along an axis that cannot be told');
  return onward(value, [{ kind: 'softmax', axis }]);
}

function readConcat(source: PlainSource): PlainNode {
  const values = source.values.filter((value) => value !== null);
  const [value] = values;
  if (!value || values.length !== source.node.inputs.length) throw unsupported('it joins what is not known');
  if (values.some(({ axes }) => axes.join() !== value.axes.join()))
    throw unsupported('it joins values of different axes');
  const axis = value.axes[frontAxis(integer(source.node, 'axis', -1), value.axes.length)] ?? ONE;
  if (axis <= 0 || value.axes.includes(DIRECTIONS)) throw unsupported('it joins along an axis that cannot be told');
  const isLast = axis === rankOf(value) - 1;
  const width = values.reduce<number | null>(
    (sum, part) => (sum === null || part.width === null ? null : sum + part.width),
    0,
  );
  return {
    operations: [{ kind: 'concatenate', axis }],
    inputs: values,
    axes: value.axes,
    width: isLast ? width : value.width,
  };
}
