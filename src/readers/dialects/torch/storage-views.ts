/** The numbers of a tensor that is a view into a storage, any strides; read are only the parts that it covers. */
import { TempogradError } from '../../../core/errors';
import { sizeOf, type RealTensor } from '../../../core/tensor';
import type { ByteSource } from '../../byte-source';
import { decodeNumbers } from '../../stored-numbers';
import type { ReadRows } from '../../stored-tensor';
import { elementBytesOf } from './storages';

/** A view; offset and strides count elements. */
export interface StorageView {
  readonly name: string;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly dtype: string;
  readonly littleEndian: boolean;
}

/** A part of a view is read in one piece when what it covers is this many elements, or this many times its own. */
const MAX_SPAN = 1 << 16;
const MAX_SPAN_RATIO = 4;

/**
 * The numbers of a view.
 *
 * @param source - The storage.
 * @param view - The view.
 * @param file - The file's name.
 * @throws TempogradError `reader/corrupt` for a view that leaves its storage or has more elements than it,
 * `cell/unsupported` for a type that holds no real numbers.
 */
export function readView(source: ByteSource, view: StorageView, file: string): RealTensor {
  checkView(source, view, file);
  return { shape: view.shape, data: readChecked(source, view) };
}

/**
 * A way to read a view in parts.
 *
 * @param source - The storage.
 * @param view - The view, of one axis or more.
 * @param file - The file's name.
 * @throws TempogradError as `readView`.
 */
export function rowsOfView(source: ByteSource, view: StorageView, file: string): ReadRows {
  checkView(source, view, file);
  const [, ...inner] = view.shape;
  const [stride = 0] = view.strides;
  return (start, count) =>
    readChecked(source, { ...view, shape: [count, ...inner], offset: view.offset + start * stride });
}

function checkView(source: ByteSource, { shape, strides, offset, dtype, name }: StorageView, file: string): void {
  const itemBytes = elementBytesOf(dtype);
  const count = sizeOf(shape);
  if (count === 0 || itemBytes === null) return;
  const present = Math.floor(source.size / itemBytes);
  const last = offset + spanOf(shape, strides) - 1;
  if (last >= present) {
    throw corrupt(`${file}: tensor ${name} ends at element ${String(last)} of a storage that has ${String(present)}`);
  }
  if (count > present) throw corrupt(`${file}: the elements of tensor ${name} lie on one another in the storage`);
}

function readChecked(source: ByteSource, view: StorageView): RealTensor['data'] {
  const { shape, strides, offset, dtype, littleEndian, name } = view;
  const itemBytes = elementBytesOf(dtype);
  const count = sizeOf(shape);
  if (count === 0) return new Float32Array(0);
  if (itemBytes === null) return decodeNumbers(new Uint8Array(0), dtype, littleEndian, name);
  const read = (at: number, length: number): RealTensor['data'] =>
    decodeNumbers(source.read(at * itemBytes, length * itemBytes), dtype, littleEndian, name);
  if (isContiguous(shape, strides)) return read(offset, count);
  const first = read(offset, 1);
  const data = first instanceof Float64Array ? new Float64Array(count) : new Float32Array(count);
  const next = gather(read, offset, shape, strides, data, 0);
  if (next !== count) throw new Error('a view gives all its elements');
  return data;
}

/** Elements between the first and the last of a view, both counted. */
function spanOf(shape: readonly number[], strides: readonly number[]): number {
  return shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), 1);
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis] ?? 1;
  }
  return true;
}

/** Fills `data` from `at` on; a part that covers much more than it holds is read along its first axis. */
function gather(
  read: (offset: number, length: number) => RealTensor['data'],
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
  data: Float32Array | Float64Array,
  at: number,
): number {
  const span = spanOf(shape, strides);
  if (span <= Math.max(MAX_SPAN, MAX_SPAN_RATIO * sizeOf(shape))) {
    return pick(read(offset, span), shape, strides, data, at);
  }
  const [size = 0, ...inner] = shape;
  const [stride = 0, ...innerStrides] = strides;
  let next = at;
  for (let index = 0; index < size; index++) {
    next = gather(read, offset + index * stride, inner, innerStrides, data, next);
  }
  return next;
}

function pick(
  stored: RealTensor['data'],
  shape: readonly number[],
  strides: readonly number[],
  data: Float32Array | Float64Array,
  at: number,
): number {
  const count = sizeOf(shape);
  const position = shape.map(() => 0);
  for (let index = 0, from = 0; index < count; index++) {
    data[at + index] = stored[from] ?? NaN;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position[axis] = (position[axis] ?? 0) + 1;
      from += strides[axis] ?? 0;
      if ((position[axis] ?? 0) < (shape[axis] ?? 0)) break;
      from -= (position[axis] ?? 0) * (strides[axis] ?? 0);
      position[axis] = 0;
    }
  }
  return at + count;
}

function corrupt(message: string): TempogradError {
  return new TempogradError('reader/corrupt', message);
}
