/**
 * Operators that choose, join or move parts of a value: Concat, Split, Slice, Gather, Squeeze, Unsqueeze, Reshape.
 */
import type { OnnxNode } from '../model';
import { isLastAxis, ranks, type BodyValue, type Trace } from './body-values';
import { formOf, selectColumns, type Budget, type LinearForm } from './linear-forms';

/**
 * Forms beside one another.
 *
 * @param node - A Concat.
 * @param inputs - Its inputs.
 */
export function followConcat(node: OnnxNode, inputs: readonly (BodyValue | null)[]): BodyValue | null {
  const parts: LinearForm[] = [];
  let rank: number | null = 1;
  for (const value of inputs) {
    if (value?.kind !== 'form') return null;
    parts.push(value.form);
    rank = ranks(rank, value.rank);
  }
  return isLastAxis(node.attributes.get('axis')?.integer ?? 1, rank) ? { kind: 'joined', parts, rank } : null;
}

/**
 * Sets the outputs of a Split along the features.
 *
 * @param node - A Split.
 * @param inputs - Its inputs.
 * @param trace - The body.
 */
export function followSplit(node: OnnxNode, [value, sizes]: readonly (BodyValue | null)[], trace: Trace): void {
  const parts = splitOf(node, value, sizes, trace.budget);
  for (const [index, name] of node.outputs.entries()) trace.values.set(name, parts?.[index] ?? null);
}

function splitOf(
  node: OnnxNode,
  value: BodyValue | null | undefined,
  sizes: BodyValue | null | undefined,
  budget: Budget,
): readonly (BodyValue | null)[] | null {
  if (value?.kind !== 'form' || !isLastAxis(node.attributes.get('axis')?.integer ?? 0, value.rank)) return null;
  const attribute = node.attributes.get('split')?.integers ?? [];
  const said = sizes?.kind === 'constant' ? Array.from(sizes.tensor.data) : attribute;
  const count = node.outputs.length;
  const width = value.form.width ?? (said.length > 0 ? said.reduce((sum, size) => sum + size, 0) : null);
  if (width === null) return null;
  const even = Math.ceil(width / count);
  const all =
    said.length > 0 ? said : Array.from({ length: count }, (_, index) => Math.min(even, width - index * even));
  const form = { ...value.form, width };
  let start = 0;
  return all.map((size) => {
    const part = selectColumns(form, start, start + size, budget);
    start += size;
    return part && { kind: 'form', form: part, rank: value.rank };
  });
}

/**
 * Some features of a form. Other axes may be named where they are kept whole, as `h[:, :H]` is written.
 *
 * @param node - A Slice.
 * @param inputs - Its inputs.
 * @param trace - The body.
 */
export function followSlice(
  node: OnnxNode,
  inputs: readonly (BodyValue | null)[],
  { budget }: Trace,
): BodyValue | null {
  const [value] = inputs;
  const read = (key: string, input: number): readonly number[] | null => {
    const given = inputs[input];
    if (given?.kind === 'constant') return Array.from(given.tensor.data);
    return given === undefined || given === null ? (node.attributes.get(key)?.integers ?? null) : null;
  };
  const [starts, ends, steps] = [read('starts', 1), read('ends', 2), read('steps', 4)];
  if (value?.kind !== 'form' || !starts || starts.length === 0 || ends?.length !== starts.length) return null;
  const isAll = (node.inputs[3] ?? '') === '' && !node.attributes.has('axes');
  const axes = isAll ? starts.map((_, axis) => axis) : read('axes', 3);
  const { width } = value.form;
  if (width === null || axes?.length !== starts.length || steps?.some((step) => step !== 1)) return null;
  let [start, end] = [0, width];
  for (const [index, axis] of axes.entries()) {
    const [first = 0, last = 0] = [starts[index], ends[index]];
    if (isLastAxis(axis, value.rank)) [start, end] = [placeOf(first, width), placeOf(last, width)];
    else if (first !== 0 || last < WHOLE) return null;
  }
  const form = selectColumns(value.form, start, end, budget);
  return form && { ...value, form };
}

/** The least end that writers mean "to the last one" by. */
const WHOLE = 2 ** 31 - 1;

function placeOf(at: number, width: number): number {
  return Math.min(Math.max(at < 0 ? at + width : at, 0), width);
}

/**
 * The step's part of a sequence.
 *
 * @param node - A Gather.
 * @param inputs - Its inputs.
 * @param trace - The body.
 */
export function followGather(
  node: OnnxNode,
  [data, index]: readonly (BodyValue | null)[],
  trace: Trace,
): BodyValue | null {
  if (data?.kind === 'shape') return sizeAt(data, index);
  return inputOf(data, index, node.attributes.get('axis')?.integer ?? 0, trace);
}

/** One size out of a shape: that of the features, or null. */
function sizeAt(
  { width, rank }: Extract<BodyValue, { kind: 'shape' }>,
  index: BodyValue | null | undefined,
): BodyValue | null {
  if (index?.kind !== 'constant' || index.tensor.data.length !== 1) return null;
  const { shape } = index.tensor;
  return isLastAxis(index.tensor.data[0] ?? 0, rank)
    ? { kind: 'constant', tensor: { shape, data: Float64Array.of(width) } }
    : null;
}

/**
 * The step's part of a sequence from outside; null where it is none.
 *
 * @param data - The sequence.
 * @param index - The number of the step.
 * @param axis - Axis of time.
 * @param trace - The body.
 */
export function inputOf(
  data: BodyValue | null | undefined,
  index: BodyValue | null | undefined,
  axis: number,
  trace: Trace,
): BodyValue | null {
  if (data?.kind !== 'outer' || index?.kind !== 'step') return null;
  const key = `${data.name} ${String(axis)} ${String(index.isReversed)}`;
  const atom = trace.inputs.get(key) ?? { kind: 'input', name: data.name, axis, isReversed: index.isReversed };
  trace.inputs.set(key, atom);
  return { kind: 'form', form: formOf(atom, null), rank: null };
}

/**
 * A form whose axes of size 1 before the last one come and go.
 *
 * @param node - An Unsqueeze or Squeeze.
 * @param inputs - Its inputs.
 * @param by - 1 or -1 for each axis.
 */
export function moveRank(node: OnnxNode, [value, given]: readonly (BodyValue | null)[], by: 1 | -1): BodyValue | null {
  if (value?.kind === 'step') return value;
  if (value?.kind !== 'form') return null;
  const axes =
    given?.kind === 'constant' ? Array.from(given.tensor.data) : (node.attributes.get('axes')?.integers ?? []);
  const rank = value.rank === null ? null : value.rank + by * axes.length;
  const inner = by === 1 ? rank : value.rank;
  if (axes.length === 0 || axes.some((axis) => axis === -1 || (inner !== null && axis === inner - 1))) return null;
  return { ...value, rank };
}

/**
 * A form that keeps its last axis.
 *
 * @param node - A Reshape.
 * @param inputs - Its inputs.
 */
export function followReshape(_: OnnxNode, [value, target]: readonly (BodyValue | null)[]): BodyValue | null {
  if (value?.kind === 'step') return value;
  if (value?.kind !== 'form' || target?.kind !== 'constant') return null;
  const { data } = target.tensor;
  return data.at(-1) === value.form.width ? { ...value, rank: data.length } : null;
}
