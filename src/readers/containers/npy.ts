/**
 * NumPy arrays: the header is a Python literal, read by a grammar of its own and never evaluated.
 *
 * Source: numpy/lib/format.py, versions 1.0, 2.0 and 3.0. Objects (pickles inside) are refused.
 */
import { TempogradError } from '../../core/errors';
import { sizeOf, type Tensor, type TensorData } from '../../core/tensor';
import { sliceSource, type ByteSource } from '../byte-source';
import { fromFloat16 } from '../float16';
import { checkLimit, type ReadLimits } from '../limits';

const MAX_HEADER_BYTES = 1 << 20;
const PREFIX_BYTES = 8;
const SIGNATURE = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** What a header says. */
interface NpyHeader {
  readonly littleEndian: boolean;
  /** numpy's kind character: b i u f. */
  readonly kind: string;
  readonly itemBytes: number;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/**
 * The array of an `.npy` file in C order: floats as float32 or float64, integers as int32 (float64 where they do not
 * fit), booleans and bytes as uint8.
 *
 * @param source - The file.
 * @param what - Its name, for messages.
 * @param limits - Caps.
 * @throws TempogradError `input/not-readable`, `reader/limit-exceeded`.
 */
export function readNpy(source: ByteSource, what: string, limits: ReadLimits): Tensor {
  const { header, dataStart } = readCheckedHeader(source, what, limits);
  const count = sizeOf(header.shape);
  const data = decode(source.read(dataStart, count * header.itemBytes), header, count);
  return { shape: header.shape, data: header.fortranOrder ? toRowMajor(data, header.shape) : data };
}

/**
 * A way to read an array in parts: entries of its first axis from one on, as many as are wanted. An array whose first axis
 * moves fastest is read whole at once.
 *
 * @param source - The file.
 * @param what - Its name, for messages.
 * @param limits - Caps.
 * @throws TempogradError as `readNpy`.
 */
export function openNpyRows(
  source: ByteSource,
  what: string,
  limits: ReadLimits,
): (start: number, count: number) => TensorData {
  const { header, dataStart } = readCheckedHeader(source, what, limits);
  const width = sizeOf(header.shape.slice(1));
  if (header.fortranOrder) {
    const { data } = readNpy(source, what, limits);
    return (start, count) => data.subarray(start * width, (start + count) * width);
  }
  return (start, count) => {
    const bytes = source.read(dataStart + start * width * header.itemBytes, count * width * header.itemBytes);
    return decode(bytes, header, count * width);
  };
}

function readCheckedHeader(source: ByteSource, what: string, limits: ReadLimits): ReturnType<typeof readHeader> {
  const { header, dataStart } = readHeader(source, what);
  const count = sizeOf(header.shape);
  checkLimit(`Numbers in ${what}`, count, 'maxInputValues', limits);
  const expected = count * header.itemBytes;
  const present = source.size - dataStart;
  if (expected !== present) {
    throw refuse(
      `${what} declares shape [${header.shape.join(', ')}], ${String(expected)} bytes of numbers, but holds ${String(present)}`,
    );
  }
  return { header, dataStart };
}

/**
 * Shape and type of an `.npy` file by its header; null when it holds no real numbers.
 *
 * @param source - The file.
 * @param what - Its name, for messages.
 * @throws TempogradError `input/not-readable` when the header is damaged.
 */
export function describeNpy(
  source: ByteSource,
  what: string,
): { readonly shape: readonly number[]; readonly dtype: string } | null {
  try {
    const { shape, kind, itemBytes } = readHeader(source, what).header;
    return { shape, dtype: `${KIND_NAMES[kind] ?? kind}${kind === 'b' ? '' : String(8 * itemBytes)}` };
  } catch (error) {
    if (error instanceof TempogradError && error.details['holdsNumbers'] === false) return null;
    throw error;
  }
}

/**
 * The pickle of an `.npy` file that is one Python object without axes; null for any other array.
 *
 * @param source - The file.
 * @param what - Its name, for messages.
 * @throws TempogradError `input/not-readable` when the header is damaged.
 */
export function pickleOfNpy(source: ByteSource, what: string): ByteSource | null {
  const { text, dataStart } = headerText(source, what);
  const isObject = /'descr'\s*:\s*'\|O\d*'/.test(text) && /'shape'\s*:\s*\(\s*\)/.test(text);
  return isObject ? sliceSource(source, dataStart, source.size - dataStart) : null;
}

const KIND_NAMES: Readonly<Record<string, string>> = { b: 'bool', i: 'int', u: 'uint', f: 'float' };

function readHeader(source: ByteSource, what: string): { readonly header: NpyHeader; readonly dataStart: number } {
  const { text, dataStart } = headerText(source, what);
  return { header: parseHeader(text, what), dataStart };
}

function headerText(source: ByteSource, what: string): { readonly text: string; readonly dataStart: number } {
  if (source.size < PREFIX_BYTES + 4) throw refuse(`${what} ends within the header of a NumPy array`);
  const prefix = source.read(0, PREFIX_BYTES + 4);
  if (!SIGNATURE.every((byte, index) => prefix[index] === byte)) throw refuse(`${what} is not a NumPy array`);
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const version = view.getUint8(6);
  if (version < 1 || version > 3) throw refuse(`${what} is a NumPy array of the unknown version ${String(version)}`);
  const lengthBytes = version === 1 ? 2 : 4;
  const length = version === 1 ? view.getUint16(PREFIX_BYTES, true) : view.getUint32(PREFIX_BYTES, true);
  const dataStart = PREFIX_BYTES + lengthBytes + length;
  if (length > MAX_HEADER_BYTES || dataStart > source.size)
    throw refuse(`${what} ends within the header of a NumPy array`);
  const text = new TextDecoder('utf-8').decode(source.read(PREFIX_BYTES + lengthBytes, length));
  return { text, dataStart };
}

/** `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` */
function parseHeader(text: string, what: string): NpyHeader {
  const descr = /'descr'\s*:\s*('([^']*)'|\[)/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text);
  if (!descr || !order || !shape) throw refuse(`${what} has a header that no NumPy array has`);
  const type = /^([<>|=])([biufcOSUVMm?])(\d*)$/.exec(descr[2] ?? '');
  if (!type) throw refuse(`${what} holds records or an unknown type, not numbers`, NO_NUMBERS);
  const [, byteOrder, kind = '', size = ''] = type;
  if (kind === 'O')
    throw refuse(
      `${what} holds Python objects, which are code and are never loaded; save an array of numbers`,
      NO_NUMBERS,
    );
  const itemBytes = Number(size);
  const known = kind === 'f' ? [2, 4, 8] : kind === 'b' ? [1] : kind === 'i' || kind === 'u' ? [1, 2, 4, 8] : [];
  if (!known.includes(itemBytes))
    throw refuse(`${what} holds elements of the type ${String(descr[2])}, not real numbers`, NO_NUMBERS);
  const sizes = (shape[1] ?? '').split(',').map((part) => part.replace('L', '').trim());
  return {
    littleEndian: byteOrder !== '>',
    kind,
    itemBytes,
    fortranOrder: order[1] === 'True',
    shape: sizes.filter((part) => part !== '').map(Number),
  };
}

function decode(bytes: Uint8Array, { kind, itemBytes, littleEndian }: NpyHeader, count: number): TensorData {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (kind === 'b' || (kind === 'u' && itemBytes === 1)) return Uint8Array.from(bytes);
  if (kind === 'f' && itemBytes === 8)
    return fill(new Float64Array(count), (at) => view.getFloat64(8 * at, littleEndian));
  if (kind === 'f' && itemBytes === 4)
    return fill(new Float32Array(count), (at) => view.getFloat32(4 * at, littleEndian));
  if (kind === 'f') return fill(new Float32Array(count), (at) => fromFloat16(view.getUint16(2 * at, littleEndian)));
  const read = integerReader(view, kind === 'i', itemBytes, littleEndian);
  const wide = fill(new Float64Array(count), read);
  return wide.every((value) => value === (value | 0)) ? Int32Array.from(wide) : wide;
}

function integerReader(view: DataView, signed: boolean, bytes: number, little: boolean): (index: number) => number {
  if (bytes === 1) return (at) => view.getInt8(at);
  if (bytes === 2) return signed ? (at) => view.getInt16(2 * at, little) : (at) => view.getUint16(2 * at, little);
  if (bytes === 4) return signed ? (at) => view.getInt32(4 * at, little) : (at) => view.getUint32(4 * at, little);
  return signed ? (at) => Number(view.getBigInt64(8 * at, little)) : (at) => Number(view.getBigUint64(8 * at, little));
}

function fill<A extends Float32Array | Float64Array>(array: A, read: (index: number) => number): A {
  for (let index = 0; index < array.length; index++) array[index] = read(index);
  return array;
}

/** Fortran order (first axis fastest) to C order (last axis fastest). */
function toRowMajor(data: TensorData, shape: readonly number[]): TensorData {
  const strides: number[] = [];
  let stride = 1;
  for (const size of shape) {
    strides.push(stride);
    stride *= size;
  }
  const position = shape.map(() => 0);
  const result = data.slice();
  for (let index = 0; index < result.length; index++) {
    let from = 0;
    for (const [axis, at] of position.entries()) from += at * (strides[axis] ?? 0);
    result[index] = data[from] ?? NaN;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position[axis] = ((position[axis] ?? 0) + 1) % (shape[axis] ?? 1);
      if (position[axis] !== 0) break;
    }
  }
  return result;
}

/** Marks an array that is whole, but holds something else than real numbers. */
const NO_NUMBERS = { holdsNumbers: false };

function refuse(message: string, details: { readonly holdsNumbers?: boolean } = {}): TempogradError {
  return new TempogradError('input/not-readable', message, { details });
}
