/**
 * Element types of an HDF5 file and their numbers.
 */
import { TempogradError } from '../../core/errors';
import { decodeBfloat16, decodeFloat16 } from '../float16';
import type { Hdf5Metadata } from './hdf5-module';

const CLASS_INTEGER = 0;
const CLASS_FLOAT = 1;
/** HDF5's class of strings. */
export const CLASS_STRING = 3;
const CLASS_OPAQUE = 5;
const CLASS_ENUM = 8;

/**
 * numpy's word for an element type; h5py stores bfloat16 as two opaque bytes.
 *
 * @param metadata - The type as the library tells it.
 */
export function dtypeOf(metadata: Hdf5Metadata): string {
  if (metadata.type === CLASS_OPAQUE && metadata.size === 2) return 'bfloat16';
  const bits = String(metadata.size * 8);
  if (metadata.type === CLASS_FLOAT) return `float${bits}`;
  if (metadata.type === CLASS_INTEGER) return `${metadata.signed ? '' : 'u'}int${bits}`;
  if (metadata.type === CLASS_ENUM && metadata.size === 1) return 'bool';
  if (metadata.type === CLASS_STRING) return 'string';
  return `class ${String(metadata.type)}`;
}

/**
 * Numbers of little-endian bytes; the library turns big-endian ones on reading.
 *
 * @param bytes - The bytes, from the start of their buffer.
 * @param metadata - The type as the library tells it.
 * @param dtype - What `dtypeOf` says.
 * @throws TempogradError `reader/corrupt` for a type that holds no numbers.
 */
export function decodeNumbers(bytes: Uint8Array, metadata: Hdf5Metadata, dtype: string): Float32Array | Float64Array {
  const { buffer } = bytes;
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer);
    case 'float64':
      return new Float64Array(buffer);
    case 'float16':
      return decodeFloat16(bytes);
    case 'bfloat16':
      return decodeBfloat16(bytes);
    case 'int8':
    case 'bool':
      return Float32Array.from(new Int8Array(buffer));
    case 'uint8':
      return Float32Array.from(new Uint8Array(buffer));
    case 'int16':
      return Float32Array.from(new Int16Array(buffer));
    case 'uint16':
      return Float32Array.from(new Uint16Array(buffer));
    case 'int32':
      return Float64Array.from(new Int32Array(buffer));
    case 'uint32':
      return Float64Array.from(new Uint32Array(buffer));
    case 'int64':
      return Float64Array.from(new BigInt64Array(buffer), Number);
    case 'uint64':
      return Float64Array.from(new BigUint64Array(buffer), Number);
    default:
      throw new TempogradError(
        'reader/corrupt',
        `Numbers of the type ${dtype} (${String(metadata.size)} bytes) cannot be read`,
      );
  }
}
