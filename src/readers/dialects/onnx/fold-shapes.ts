/**
 * Operators that only move numbers, on constants: the small algebra of shapes by which writers put weights together.
 *
 * Source: ONNX operators of the same names; negative axes count from the end.
 */
import { TempogradError } from '../../../core/errors';
import { sizeOf, type RealTensor } from '../../../core/tensor';

/**
 * An axis counted from the front.
 *
 * @param axis - As the file says it.
 * @param rank - Number of axes.
 * @throws TempogradError `reader/corrupt` outside the tensor.
 */
export function frontAxis(axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(front) && front >= 0 && front < rank) return front;
  throw corrupt(`Axis ${String(axis)} is none of ${String(rank)}`);
}

/**
 * Axes exchanged.
 *
 * @param tensor - A tensor.
 * @param order - For each axis of the result the tensor's own; empty turns all round.
 */
export function transpose(tensor: RealTensor, order: readonly number[]): RealTensor {
  const rank = tensor.shape.length;
  const axes = order.length > 0 ? order : tensor.shape.map((_, axis) => rank - 1 - axis);
  if (axes.length !== rank || new Set(axes).size !== rank) throw corrupt(`[${axes.join(', ')}] is no order of axes`);
  const fronts = axes.map((axis) => frontAxis(axis, rank));
  const strides = stridesOf(tensor.shape);
  return pick(
    tensor,
    fronts.map((axis) => tensor.shape[axis] ?? 0),
    fronts.map((axis) => strides[axis] ?? 0),
  );
}

/**
 * Another shape for the same numbers.
 *
 * @param tensor - A tensor.
 * @param target - 0 keeps an axis, -1 takes what is left.
 * @param zeroIsSize - True where 0 is a size (`allowzero`).
 */
export function reshape(tensor: RealTensor, target: readonly number[], zeroIsSize: boolean): RealTensor {
  const kept = target.map((size, axis) => (size === 0 && !zeroIsSize ? (tensor.shape[axis] ?? 0) : size));
  const known = kept.filter((size) => size !== -1).reduce((product, size) => product * size, 1);
  const shape = kept.map((size) => (size === -1 ? tensor.data.length / known : size));
  if (kept.filter((size) => size === -1).length > 1 || !shape.every(isSize) || sizeOf(shape) !== tensor.data.length) {
    throw corrupt(`A tensor [${tensor.shape.join(', ')}] has no shape [${target.join(', ')}]`);
  }
  return { shape, data: tensor.data };
}

/**
 * Axes of one entry put in.
 *
 * @param tensor - A tensor.
 * @param axes - Places in the result.
 */
export function unsqueeze({ shape, data }: RealTensor, axes: readonly number[]): RealTensor {
  const rank = shape.length + axes.length;
  const places = new Set(axes.map((axis) => frontAxis(axis, rank)));
  if (places.size !== axes.length) throw corrupt('Unsqueeze names an axis twice');
  const rest = [...shape];
  return { shape: Array.from({ length: rank }, (_, axis) => (places.has(axis) ? 1 : (rest.shift() ?? 1))), data };
}

/**
 * Axes of one entry taken out.
 *
 * @param tensor - A tensor.
 * @param axes - Which; null for all of one entry.
 */
export function squeeze({ shape, data }: RealTensor, axes: readonly number[] | null): RealTensor {
  const places = new Set(
    axes?.map((axis) => frontAxis(axis, shape.length)) ?? shape.flatMap((size, axis) => (size === 1 ? [axis] : [])),
  );
  for (const axis of places)
    if (shape[axis] !== 1) throw corrupt(`Axis ${String(axis)} of [${shape.join(', ')}] is not 1`);
  return { shape: shape.filter((_, axis) => !places.has(axis)), data };
}

/**
 * Tensors behind one another.
 *
 * @param tensors - At least one; equal but along the axis.
 * @param axis - The axis.
 */
export function concat(tensors: readonly RealTensor[], axis: number): RealTensor {
  const [first] = tensors;
  if (!first) throw corrupt('Concat has no input');
  const at = frontAxis(axis, first.shape.length);
  const fits = tensors.every(
    ({ shape }) => shape.length === first.shape.length && shape.every((size, k) => k === at || size === first.shape[k]),
  );
  if (!fits) throw corrupt('Concat joins tensors that do not fit');
  const shape = first.shape.map((size, k) =>
    k === at ? tensors.reduce((sum, tensor) => sum + (tensor.shape[at] ?? 0), 0) : size,
  );
  const data = emptyLike(tensors, sizeOf(shape));
  // Sizes in front of an empty axis are no bound on anything.
  if (data.length === 0) return { shape, data };
  const outer = sizeOf(shape.slice(0, at));
  let offset = 0;
  for (let row = 0; row < outer; row++) {
    for (const tensor of tensors) {
      const run = sizeOf(tensor.shape.slice(at));
      data.set(tensor.data.subarray(row * run, (row + 1) * run), offset);
      offset += run;
    }
  }
  return { shape, data };
}

/**
 * A part along one axis.
 *
 * @param tensor - A tensor.
 * @param axis - The axis.
 * @param start - First entry; bounds are cut to the tensor.
 * @param end - The entry behind the last.
 * @param step - Not 0; negative goes backwards.
 */
export function slice(tensor: RealTensor, axis: number, start: number, end: number, step: number): RealTensor {
  const at = frontAxis(axis, tensor.shape.length);
  const size = tensor.shape[at] ?? 0;
  if (step === 0 || !Number.isInteger(step)) throw corrupt('Slice has the step 0');
  const bound = (value: number, low: number, high: number): number =>
    Math.min(Math.max(value < 0 ? value + size : value, low), high);
  const [from, to] =
    step > 0 ? [bound(start, 0, size), bound(end, 0, size)] : [bound(start, -1, size - 1), bound(end, -1, size - 1)];
  const count = Math.max(0, Math.ceil((to - from) / step));
  // An axis beside an empty one may be of any length: nothing is made for its entries.
  if (step === 1 || tensor.data.length === 0) return run(tensor, at, from, count);
  const entries = Array.from({ length: count }, (_, index) => from + index * step);
  return take(tensor, at, entries, [count]);
}

/** Entries behind one another along an axis. */
function run(tensor: RealTensor, axis: number, start: number, count: number): RealTensor {
  const size = tensor.shape[axis] ?? 0;
  const shape = tensor.shape.map((length, at) => (at === axis ? count : length));
  const data = emptyLike([tensor], sizeOf(shape));
  const inner = sizeOf(tensor.shape.slice(axis + 1));
  for (let at = 0, from = start * inner; at < data.length; at += count * inner, from += size * inner) {
    data.set(tensor.data.subarray(from, from + count * inner), at);
  }
  return { shape, data };
}

/**
 * Entries along one axis.
 *
 * @param tensor - A tensor.
 * @param axis - The axis.
 * @param entries - Which; negative ones count from the end.
 * @param shape - Axes in place of `axis`; holds as many entries.
 */
export function take(
  tensor: RealTensor,
  axis: number,
  entries: ArrayLike<number>,
  shape: readonly number[],
): RealTensor {
  const at = frontAxis(axis, tensor.shape.length);
  const size = tensor.shape[at] ?? 0;
  const inner = sizeOf(tensor.shape.slice(at + 1));
  const outer = sizeOf(tensor.shape.slice(0, at));
  const data = emptyLike([tensor], outer * entries.length * inner);
  const taken = [...tensor.shape.slice(0, at), ...shape, ...tensor.shape.slice(at + 1)];
  if (data.length === 0) return { shape: taken, data };
  for (let row = 0; row < outer; row++) {
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index] ?? 0;
      const start = (row * size + frontAxis(entry, size)) * inner;
      data.set(tensor.data.subarray(start, start + inner), (row * entries.length + index) * inner);
    }
  }
  return { shape: taken, data };
}

/**
 * A tensor repeated to a shape it broadcasts to.
 *
 * @param tensor - A tensor.
 * @param shape - Axes are matched from the end.
 */
export function broadcast(tensor: RealTensor, shape: readonly number[]): RealTensor {
  const missing = shape.length - tensor.shape.length;
  const own = stridesOf(tensor.shape);
  const strides = shape.map((size, axis) => {
    const mine = axis < missing ? 1 : (tensor.shape[axis - missing] ?? 1);
    if (mine !== 1 && mine !== size) throw corrupt(`[${tensor.shape.join(', ')}] does not fit [${shape.join(', ')}]`);
    return mine === 1 ? 0 : (own[axis - missing] ?? 0);
  });
  if (missing < 0) throw corrupt(`[${tensor.shape.join(', ')}] does not fit [${shape.join(', ')}]`);
  return pick(tensor, shape, strides);
}

function pick(tensor: RealTensor, shape: readonly number[], strides: readonly number[]): RealTensor {
  const data = emptyLike([tensor], sizeOf(shape));
  const index = shape.map(() => 0);
  let from = 0;
  for (let at = 0; at < data.length; at++) {
    data[at] = tensor.data[from] ?? NaN;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis] ?? 0;
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (shape[axis] ?? 0)) break;
      from -= (strides[axis] ?? 0) * (shape[axis] ?? 0);
      index[axis] = 0;
    }
  }
  return { shape, data };
}

function stridesOf(shape: readonly number[]): readonly number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/** Room in the widest precision of some tensors. */
function emptyLike(tensors: readonly RealTensor[], size: number): RealTensor['data'] {
  return tensors.some(({ data }) => data instanceof Float64Array) ? new Float64Array(size) : new Float32Array(size);
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function corrupt(message: string): TempogradError {
  return new TempogradError('reader/corrupt', message);
}
