/**
 * The body of a Loop or Scan, followed node by node as linear forms of x and the states.
 *
 * A node that cannot be followed leaves its outputs without a form; the cell that depends on it is then not told.
 * Source: ONNX operators of the same names.
 */
import type { RealTensor } from '../../../../core/tensor';
import { takeTensor } from '../../../take-tensor';
import { readActivations } from '../activations';
import type { OnnxNode } from '../model';
import { ranks, withForm, type BodyValue, type Follow, type Trace } from './body-values';
import { followBound, followClip, numberOf, scaleLine, shiftLine, wholeInverse } from './follow-bounds';
import {
  followConcat,
  followGather,
  followReshape,
  followSlice,
  followSplit,
  inputOf,
  moveRank,
} from './follow-columns';
import { projectedOf } from './cell-forms';
import { addForms, constantForm, formOf, multiplyForm, scaleForm, type Budget, type LinearForm } from './linear-forms';
import { followNot, followWhere, followWiden } from './masks';

/** A body with more nodes is no single cell. */
const MAX_NODES = 2000;

const FUNCTIONS: ReadonlySet<string> = new Set([
  'Sigmoid',
  'Tanh',
  'Relu',
  'HardSigmoid',
  'LeakyRelu',
  'ThresholdedRelu',
  'Elu',
  'Softsign',
  'Softplus',
]);

const FOLLOWED: ReadonlyMap<string, Follow> = new Map<string, Follow>([
  ['Identity', (_, [value]) => value ?? null],
  ['Dropout', (_, [value]) => value ?? null],
  ['Clip', followClip],
  ['Min', (_, inputs) => followBound(inputs, 'high')],
  ['Max', (_, inputs) => followBound(inputs, 'low')],
  ['Not', (_, [value], trace) => followNot(value, trace)],
  ['Where', (_, inputs, trace) => followWhere(inputs, trace)],
  ['Expand', (_, [value]) => followWiden(value)],
  ['Tile', (_, [value]) => followWiden(value)],
  ['Cast', (_, [value]) => value ?? null],
  ['Unsqueeze', (node, inputs) => moveRank(node, inputs, 1)],
  ['Squeeze', (node, inputs) => moveRank(node, inputs, -1)],
  ['Reshape', followReshape],
  ['MatMul', followProduct],
  ['Gemm', followGemm],
  ['Add', (_, [a, b], trace) => followSum(a, b, 1, trace)],
  ['Sub', (_, [a, b], trace) => followSum(a, b, -1, trace)],
  ['Sum', (_, inputs, trace) => inputs.reduce((sum, value) => followSum(sum, value, 1, trace))],
  ['Neg', (_, [value], { budget }) => withForm(value, (form) => scaleForm(form, -1, budget))],
  ['Mul', followMultiply],
  ['Div', followDivide],
  ['Shape', followShape],
  ['Concat', followConcat],
  ['Slice', followSlice],
  ['Gather', followGather],
  ['SequenceAt', (_, [data, index], trace) => inputOf(data, index, 0, trace)],
]);

/**
 * Follows the nodes of a body in their order; what each name stands for is put into `trace.values`.
 *
 * @param trace - Names of states and step inputs are set before.
 * @throws TempogradError what reading a constant throws.
 */
export async function traceBody(trace: Trace): Promise<void> {
  const { nodes } = trace.scope.graph;
  if (nodes.length > MAX_NODES) return;
  for (const node of nodes) {
    if (node.operator === 'Constant' || node.domain !== '') continue;
    // What is computed from constants alone is looked up where it is used.
    if (await trace.constants.find(node.outputs[0] ?? '', trace.scope)) continue;
    const inputs: (BodyValue | null)[] = [];
    for (const name of node.inputs) inputs.push(await valueOf(name, trace));
    if (node.operator === 'Split') {
      followSplit(node, inputs, trace);
      continue;
    }
    const follow = FUNCTIONS.has(node.operator) ? followFunction : FOLLOWED.get(node.operator);
    const [output = ''] = node.outputs;
    const value = follow?.(node, inputs, trace) ?? null;
    trace.values.set(output, trace.next.has(output) ? asState(value) : value);
  }
}

/** A projected h is one thing to whatever it feeds: multiplied through, its units would be lost. */
function asState(value: BodyValue | null): BodyValue | null {
  const projected = value?.kind === 'form' ? projectedOf(value.form) : null;
  if (!projected || value?.kind !== 'form') return value;
  return { ...value, form: formOf({ kind: 'projection', ...projected }, projected.matrix.columns) };
}

/** A value's meaning: the body's own, else a constant, else something of the graphs around. */
async function valueOf(name: string, trace: Trace): Promise<BodyValue | null> {
  if (name === '') return null;
  const known = trace.values.get(name);
  if (known !== undefined) return known;
  const stored = await trace.constants.find(name, trace.scope);
  const outer = stored === null && trace.scope.find(name) !== null ? trace.scope.outerName(name) : null;
  const tensor = stored && (await takeTensor(stored, trace.layer, trace.reading));
  if (stored && tensor && stored.shape.length > 0 && stored.dtype.includes('float')) {
    trace.taken.push({ stored, values: tensor });
  }
  const value: BodyValue | null = tensor
    ? { kind: 'constant', tensor }
    : outer === null
      ? null
      : { kind: 'outer', name: outer };
  trace.values.set(name, value);
  return value;
}

function followFunction(node: OnnxNode, [value]: readonly (BodyValue | null)[], { layer }: Trace): BodyValue | null {
  const [alpha, beta] = ['alpha', 'beta'].map((key) => node.attributes.get(key)?.float ?? null);
  const [activation] = readActivations([node.operator], numbers(alpha), numbers(beta), layer);
  if (!activation) return null;
  return withForm(value, (of) => formOf({ kind: 'activation', activation, of }, of.width));
}

function numbers(value: number | null | undefined): readonly number[] {
  return value === null || value === undefined ? [] : [value];
}

function followProduct(_: OnnxNode, [left, right]: readonly (BodyValue | null)[], { budget }: Trace): BodyValue | null {
  if (right?.kind === 'constant') return timesMatrix(left, right.tensor, false, budget);
  // A matrix on the left of a vector without a batch axis.
  const isVector = right?.kind === 'form' && right.rank === 1;
  return left?.kind === 'constant' && isVector ? timesMatrix(right, left.tensor, true, budget) : null;
}

function followGemm(node: OnnxNode, [a, b, c]: readonly (BodyValue | null)[], trace: Trace): BodyValue | null {
  const alpha = node.attributes.get('alpha')?.float ?? 1;
  const beta = node.attributes.get('beta')?.float ?? 1;
  const isTurned = (node.attributes.get('transB')?.integer ?? 0) !== 0;
  if ((node.attributes.get('transA')?.integer ?? 0) !== 0 || b?.kind !== 'constant') return null;
  const product = withForm(timesMatrix(a, b.tensor, isTurned, trace.budget), (form) =>
    scaleForm(form, alpha, trace.budget),
  );
  if ((node.inputs[2] ?? '') === '') return product;
  const scaled = c?.kind === 'constant' ? asForm(c) : (c ?? null);
  return followSum(
    product,
    withForm(scaled, (form) => scaleForm(form, beta, trace.budget)),
    1,
    trace,
  );
}

function timesMatrix(
  value: BodyValue | null | undefined,
  tensor: RealTensor,
  isTurned: boolean,
  budget: Budget,
): BodyValue | null {
  if (tensor.shape.length !== 2) return null;
  const matrix = isTurned ? turned(tensor) : plainMatrix(tensor);
  if (value?.kind === 'form') {
    const form = multiplyForm(value.form, matrix, budget);
    return form && { kind: 'form', form, rank: value.rank };
  }
  if (value?.kind !== 'joined') return null;
  const widths = value.parts.map(({ width }) => width);
  const open = widths.filter((width) => width === null).length;
  const known = widths.reduce<number>((sum, width) => sum + (width ?? 0), 0);
  if (open > 1 || (open === 0 && known !== matrix.rows) || known > matrix.rows) return null;
  let start = 0;
  let sum: LinearForm | null = null;
  for (const part of value.parts) {
    const rows = part.width ?? matrix.rows - known;
    const values = matrix.values.subarray(start * matrix.columns, (start + rows) * matrix.columns);
    const product = rows > 0 ? multiplyForm(part, { rows, columns: matrix.columns, values }, budget) : null;
    if (!product) return null;
    const next: LinearForm | null = sum ? addForms(sum, product, 1, budget) : product;
    if (!next) return null;
    sum = next;
    start += rows;
  }
  return sum && { kind: 'form', form: sum, rank: value.rank };
}

function plainMatrix({ shape, data }: RealTensor) {
  return { rows: shape[0] ?? 0, columns: shape[1] ?? 0, values: Float64Array.from(data) };
}

function turned({ shape, data }: RealTensor) {
  const [columns = 0, rows = 0] = shape;
  const values = new Float64Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) values[row * columns + column] = data[column * rows + row] ?? NaN;
  }
  return { rows, columns, values };
}

function followSum(
  a: BodyValue | null | undefined,
  b: BodyValue | null | undefined,
  sign: 1 | -1,
  { budget }: Trace,
): BodyValue | null {
  if (a?.kind === 'constant' && b?.kind === 'step') return sign === -1 ? { ...b, isReversed: !b.isReversed } : null;
  if (a?.kind === 'constant' && b?.kind === 'constant') return computed(a, b, (left, right) => left + sign * right);
  const [left, right] = [asForm(a), asForm(b)];
  if (left?.kind !== 'form' || right?.kind !== 'form') return null;
  const form = addForms(left.form, right.form, sign, budget);
  const [addend, from] = [numberOf(b), numberOf(a)];
  const line =
    addend !== null && a?.kind === 'form'
      ? { line: shiftLine(a, sign * addend) }
      : from !== null && b?.kind === 'form' && sign === 1
        ? { line: shiftLine(b, from) }
        : {};
  return form && { kind: 'form', form, rank: ranks(left.rank, right.rank), ...line };
}

function followMultiply(_: OnnxNode, [a, b]: readonly (BodyValue | null)[], { budget }: Trace): BodyValue | null {
  if (a?.kind === 'constant' && b?.kind === 'constant') return computed(a, b, (left, right) => left * right);
  const [left, right] = [asForm(a), asForm(b)];
  if (left?.kind !== 'form' || right?.kind !== 'form') return null;
  const rank = ranks(left.rank, right.rank);
  const [constant, other] = left.form.terms.size === 0 ? [left.form, right.form] : [right.form, left.form];
  if (constant.terms.size === 0) {
    const { bias } = constant;
    const by = typeof bias === 'number' ? wholeInverse(other, bias) : bias;
    const form = scaleForm(other, by, budget);
    const before = other === left.form ? left : right;
    return form && { kind: 'form', form, rank, ...(typeof by === 'number' ? { line: scaleLine(before, by) } : {}) };
  }
  const width = left.form.width ?? right.form.width;
  return { kind: 'form', form: formOf({ kind: 'product', left: left.form, right: right.form }, width), rank };
}

/** By one number; two constants are sizes. */
function followDivide(node: OnnxNode, [a, b]: readonly (BodyValue | null)[], trace: Trace): BodyValue | null {
  const by = numberOf(b);
  if (a?.kind !== 'form' || by === null) return computed(a, b, (left, right) => Math.trunc(left / right));
  return followMultiply(node, [a, { kind: 'constant', tensor: { shape: [], data: Float64Array.of(1 / by) } }], trace);
}

function followShape(_: OnnxNode, [value]: readonly (BodyValue | null)[]): BodyValue | null {
  const width = value?.kind === 'form' ? value.form.width : null;
  return value?.kind === 'form' && width !== null ? { kind: 'shape', width, rank: value.rank } : null;
}

/** Sizes are integers; what is a constant from the start is not computed here. */
function computed(
  a: BodyValue | null | undefined,
  b: BodyValue | null | undefined,
  of: (left: number, right: number) => number,
): BodyValue | null {
  if (a?.kind !== 'constant' || b?.kind !== 'constant') return null;
  const [left, right] = [a.tensor.data, b.tensor.data];
  if (left.length !== 1 || right.length !== 1) return null;
  const { shape } = a.tensor.shape.length > b.tensor.shape.length ? a.tensor : b.tensor;
  return { kind: 'constant', tensor: { shape, data: Float64Array.of(of(left[0] ?? NaN, right[0] ?? NaN)) } };
}

/** A constant of one row, or one number, as a form. */
function asForm(value: BodyValue | null | undefined): BodyValue | null {
  if (value?.kind !== 'constant') return value ?? null;
  const { shape, data } = value.tensor;
  const width = shape.at(-1) ?? 1;
  if (data.length !== width) return null;
  return {
    kind: 'form',
    form: constantForm(data.length === 1 ? (data[0] ?? NaN) : Float64Array.from(data)),
    rank: shape.length,
  };
}

/**
 * The state whose number of the step this is, counting by one; null for another value.
 *
 * @param name - What the state becomes.
 * @param state - The state's name.
 * @param trace - The body.
 */
export async function stepOf(name: string, state: string, trace: Trace): Promise<'up' | 'down' | null> {
  const node = trace.scope.graph.nodes.find(({ outputs }) => outputs[0] === name);
  if (!node || !['Add', 'Sub'].includes(node.operator)) return null;
  const [left = '', right = ''] = node.inputs;
  const other = left === state ? right : right === state && node.operator === 'Add' ? left : null;
  if (other === null) return null;
  const stored = await trace.constants.find(other, trace.scope);
  if (stored?.shape.reduce((product, size) => product * size, 1) !== 1) return null;
  const { data } = await takeTensor(stored, trace.layer, trace.reading);
  const by = (data[0] ?? NaN) * (node.operator === 'Add' ? 1 : -1);
  return by === 1 ? 'up' : by === -1 ? 'down' : null;
}
