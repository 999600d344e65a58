/**
 * Numbers of TensorFlow's element types -> float32 or float64.
 */
import type { RealTensor } from '../core/tensor';
import { TempogradError } from '../core/errors';
import { decodeBfloat16, decodeFloat16 } from './float16';

/** Bytes of one element, by the name of its type. */
const ITEM_BYTES: Readonly<Record<string, number>> = {
  float16: 2,
  bfloat16: 2,
  float32: 4,
  float64: 8,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
  complex64: 8,
  complex128: 16,
};

/**
 * Bytes of one element; null for a type whose elements have no fixed size, or that is not known.
 *
 * @param dtype - `float32`, `bfloat16` ..
 */
export function itemBytesOf(dtype: string): number | null {
  return Object.hasOwn(ITEM_BYTES, dtype) ? (ITEM_BYTES[dtype] ?? null) : null;
}

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * The numbers that bytes are.
 *
 * @param bytes - The bytes.
 * @param dtype - Their type.
 * @param littleEndian - Their byte order.
 * @param what - The tensor's name, for messages.
 * @throws TempogradError `cell/unsupported` for a type that holds no real numbers.
 */
export function decodeNumbers(
  bytes: Uint8Array,
  dtype: string,
  littleEndian: boolean,
  what: string,
): RealTensor['data'] {
  // Most files are little-endian float32 on a machine that is, too: no need to look at each number.
  if (littleEndian && IS_LITTLE_ENDIAN && dtype === 'float32') return new Float32Array(wholeItems(bytes, 4));
  if (littleEndian && IS_LITTLE_ENDIAN && dtype === 'float64') return new Float64Array(wholeItems(bytes, 8));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = (itemBytes: number, read: (offset: number) => number): Float64Array =>
    Float64Array.from({ length: bytes.length / itemBytes }, (_, index) => read(index * itemBytes));
  switch (dtype) {
    case 'float32':
      return Float32Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(4 * index, littleEndian));
    case 'float64':
      return wide(8, (offset) => view.getFloat64(offset, littleEndian));
    case 'float16':
      return decodeFloat16(littleEndian ? bytes : swapPairs(bytes));
    case 'bfloat16':
      return decodeBfloat16(littleEndian ? bytes : swapPairs(bytes));
    case 'int8':
      return new Float32Array(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    case 'uint8':
    case 'bool':
      return new Float32Array(bytes);
    case 'int16':
      return wide(2, (offset) => view.getInt16(offset, littleEndian));
    case 'uint16':
      return wide(2, (offset) => view.getUint16(offset, littleEndian));
    case 'int32':
      return wide(4, (offset) => view.getInt32(offset, littleEndian));
    case 'uint32':
      return wide(4, (offset) => view.getUint32(offset, littleEndian));
    case 'int64':
      return wide(8, (offset) => Number(view.getBigInt64(offset, littleEndian)));
    case 'uint64':
      return wide(8, (offset) => Number(view.getBigUint64(offset, littleEndian)));
    default:
      throw new TempogradError('cell/unsupported', `Tensor ${what} has the type ${dtype}, which holds no real numbers`);
  }
}

/**
 * The bytes in a buffer of their own, without what is no whole number at the end. Bytes that are all of their buffer, as
 * large reads of a file are, are not copied.
 */
function wholeItems(bytes: Uint8Array, itemBytes: number): ArrayBuffer {
  const { buffer, byteLength } = bytes;
  const isWhole = byteLength === buffer.byteLength && byteLength % itemBytes === 0;
  if (isWhole && buffer instanceof ArrayBuffer) return buffer;
  // Not `slice`, which gives a view of the same buffer where the bytes are Node's Buffer.
  return new Uint8Array(bytes.subarray(0, bytes.length - (bytes.length % itemBytes))).buffer;
}

function swapPairs(bytes: Uint8Array): Uint8Array {
  return bytes.map((_, index) => bytes[index ^ 1] ?? 0);
}
