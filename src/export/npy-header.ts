/**
 * The header of a NumPy `.npy` file, version 1.0.
 *
 * Source: NumPy enhancement proposal 1, "A simple file format for NumPy arrays".
 */

/** Element types that are written. */
export type NpyType = 'float32' | 'float64' | 'int32' | 'uint8';

/** Bytes of one element. */
export const NPY_BYTES: Readonly<Record<NpyType, number>> = { float32: 4, float64: 8, int32: 4, uint8: 1 };

const DESCRIPTORS: Readonly<Record<NpyType, string>> = { float32: '<f4', float64: '<f8', int32: '<i4', uint8: '|u1' };

/**
 * Magic, version, length and dictionary, padded to a multiple of 64 bytes.
 *
 * @param type - Element type, written little-endian.
 * @param shape - Axes, C order.
 * @param leastBytes - The header has at least so many, a multiple of 64: room for a shape that is known later.
 */
export function npyHeader(type: NpyType, shape: readonly number[], leastBytes = 0): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dictionary = `{'descr': '${DESCRIPTORS[type]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const total = Math.max(leastBytes, Math.ceil((10 + dictionary.length + 1) / 64) * 64);
  const bytes = new Uint8Array(total).fill(0x20);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(bytes.buffer).setUint16(8, total - 10, true);
  bytes.set(new TextEncoder().encode(dictionary), 10);
  bytes[total - 1] = 0x0a;
  return bytes;
}
