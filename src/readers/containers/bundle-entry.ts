/**
 * Entries of a checkpoint's index: where a tensor, or a slice of one, lies.
 *
 * Source: tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/util/saved_tensor_slice_util.cc.
 */
import { TempogradError } from '../../core/errors';
import { sizeOf } from '../../core/tensor';
import { memorySource, type ByteSource } from '../byte-source';
import { readFields, toInteger } from './protobuf';

/** Element types by their number. Source: tensorflow/core/framework/types.proto. */
const TYPES: Readonly<Record<number, string>> = {
  1: 'float32',
  2: 'float64',
  3: 'int32',
  4: 'uint8',
  5: 'int16',
  6: 'int8',
  7: 'string',
  8: 'complex64',
  9: 'int64',
  10: 'bool',
  14: 'bfloat16',
  17: 'uint16',
  18: 'complex128',
  19: 'float16',
  20: 'resource',
  21: 'variant',
  22: 'uint32',
  23: 'uint64',
};

const MAX_AXES = 254;

/** A part of a tensor: for each axis its start and length; null length takes the whole axis. */
export type Slice = readonly { readonly start: number; readonly length: number | null }[];

/** Where a tensor, or a slice of one, lies. */
export interface BundleEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly shard: number;
  readonly offset: number;
  readonly size: number;
  /** Masked. */
  readonly crc: number;
  readonly slices: readonly Slice[];
}

/**
 * The entry that a `BundleEntryProto` is.
 *
 * @param value - The message.
 * @param what - Its name, for messages.
 * @throws TempogradError `reader/corrupt`, `reader/truncated`.
 */
export function readEntry(value: Uint8Array, what: string): BundleEntry {
  let dtype = 0;
  let shard = 0;
  let offset = 0;
  let size = 0;
  let crc = 0;
  let shape: readonly number[] = [];
  const slices: Slice[] = [];
  for (const { number, ...wire } of readFields(memorySource(value), what)) {
    if (wire.type === 'varint') {
      if (number === 1) dtype = toInteger(wire.value, `${what}: type`);
      if (number === 3) shard = toInteger(wire.value, `${what}: shard`);
      if (number === 4) offset = toInteger(wire.value, `${what}: offset`);
      if (number === 5) size = toInteger(wire.value, `${what}: size`);
    } else if (wire.type === 'bytes') {
      if (number === 2) shape = readShape(wire.source, what);
      if (number === 7) slices.push(readSlice(wire.source, what));
    } else if (wire.type === 'fixed32' && number === 6) {
      crc = new DataView(wire.bytes.buffer, wire.bytes.byteOffset, 4).getUint32(0, true);
    }
  }
  return {
    dtype: Object.hasOwn(TYPES, dtype) ? (TYPES[dtype] ?? '') : `type ${String(dtype)}`,
    shape,
    shard,
    offset,
    size,
    crc,
    slices,
  };
}

/** `TensorShapeProto` */
function readShape(source: ByteSource, what: string): readonly number[] {
  const shape: number[] = [];
  for (const dimension of readFields(source, what)) {
    if (dimension.number !== 2 || dimension.type !== 'bytes') continue;
    let size = 0;
    for (const { number, ...wire } of readFields(dimension.source, what)) {
      if (number === 1 && wire.type === 'varint') size = toInteger(wire.value, `${what}: shape`);
    }
    shape.push(size);
  }
  if (shape.length > MAX_AXES || shape.some((size) => size < 0) || !Number.isSafeInteger(sizeOf(shape))) {
    throw new TempogradError('reader/corrupt', `${what} has the impossible shape [${shape.slice(0, 8).join(', ')}]`);
  }
  return shape;
}

/** `TensorSliceProto`; an extent that says nothing is a whole axis. */
function readSlice(source: ByteSource, what: string): Slice {
  const slice: { start: number; length: number | null }[] = [];
  for (const extent of readFields(source, what)) {
    if (extent.number !== 1 || extent.type !== 'bytes') continue;
    const axis: { start: number; length: number | null } = { start: 0, length: null };
    for (const { number, ...wire } of readFields(extent.source, what)) {
      if (wire.type !== 'varint') continue;
      if (number === 1) axis.start = toInteger(wire.value, `${what}: start of a slice`);
      if (number === 2) axis.length = toInteger(wire.value, `${what}: length of a slice`);
    }
    slice.push(axis);
  }
  return slice;
}

/**
 * The key under which a slice of a tensor lies.
 *
 * Source: tensorflow/core/lib/strings/ordered_code.cc.
 *
 * @param key - The tensor's key, one character per byte.
 * @param slice - The slice.
 */
export function sliceKey(key: string, slice: Slice): string {
  const escaped = key.replace(/[\0\xff]/g, (byte) => (byte === '\0' ? '\0\xff' : '\xff\0'));
  const extents = slice.map(
    ({ start, length }) => orderedNumber(length === null ? 0 : start) + orderedNumber(length ?? -1),
  );
  return `\0${escaped}\0\x01${String.fromCharCode(1, slice.length)}${extents.join('')}`;
}

/** A signed number so written that texts sort as numbers do: the leading ones say how many bytes there are. */
function orderedNumber(value: number): string {
  if (value >= -64 && value < 64) return String.fromCharCode((value & 0xff) ^ 0x80);
  const bits = BigInt(value).toString(2).length;
  const bytes = Math.floor(bits / 7) + 1;
  const header = ((1n << BigInt(bytes)) - 1n) << BigInt(7 * bytes);
  let left = BigInt(value) ^ header;
  let text = '';
  for (let index = 0; index < bytes; index++, left >>= 8n) text = String.fromCharCode(Number(left & 0xffn)) + text;
  return text;
}
