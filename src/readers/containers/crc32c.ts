/**
 * CRC-32C (Castagnoli), and the mask under which TensorFlow and LevelDB store it.
 *
 * Source: RFC 3720, B.4; leveldb/util/crc32c.h (Mask).
 */

const POLYNOMIAL = 0x82f63b78;
const MASK_DELTA = 0xa282ead8;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value >>> 0;
});

/**
 * The checksum of several pieces, one behind the other.
 *
 * @param pieces - Bytes.
 */
export function crc32c(...pieces: readonly Uint8Array[]): number {
  let crc = 0xffffffff;
  for (const bytes of pieces) {
    for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/**
 * A checksum as it is stored: turned by 15 bits, plus a constant.
 *
 * @param crc - The checksum.
 */
export function maskCrc(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}
