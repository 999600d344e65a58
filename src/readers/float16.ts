/** Half precision to single: IEEE 754 binary16 and bfloat16, exactly. */

/**
 * The value of an IEEE 754 binary16 bit pattern.
 *
 * Source: IEEE 754-2019, 3.6.
 *
 * @param bits - 16 bits.
 */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * The values of little-endian binary16 numbers.
 *
 * @param bytes - Two bytes a number.
 */
export function decodeFloat16(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 2 }, (_, index) => fromFloat16(view.getUint16(2 * index, true)));
}

/**
 * The values of little-endian bfloat16 numbers: the upper half of a binary32.
 *
 * @param bytes - Two bytes a number.
 */
export function decodeBfloat16(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bits = Uint32Array.from({ length: bytes.length / 2 }, (_, index) => view.getUint16(2 * index, true) << 16);
  return new Float32Array(bits.buffer);
}
