/**
 * Variable-length numbers as LevelDB, Snappy and TensorFlow write them: seven bits a byte, the lowest first.
 *
 * For sizes and counts, which a double holds; protobuf.ts reads all 64 bits of its own.
 */

/**
 * The number that begins at the next byte; null when it does not end within `maxBytes`, or before the bytes do.
 *
 * @param nextByte - Gives one byte after the other, undefined at the end.
 * @param maxBytes - The longest that is one.
 */
export function readVarint(nextByte: () => number | undefined, maxBytes: number): number | null {
  let value = 0;
  for (let index = 0; index < maxBytes; index++) {
    const byte = nextByte();
    if (byte === undefined) return null;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value;
  }
  return null;
}
