/**
 * Several byte sources read as one, in order: a group of weights that is cut into shards.
 */
import { checkRange, type ByteSource } from './byte-source';

/**
 * A source over others, one behind the other.
 *
 * @param parts - The parts; a range inside one of them is not copied.
 */
export function joinSources(parts: readonly ByteSource[]): ByteSource {
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  return {
    size,
    read(offset, length) {
      checkRange(size, offset, length);
      const pieces: Uint8Array[] = [];
      let start = 0;
      for (const part of parts) {
        const from = Math.max(offset, start);
        const to = Math.min(offset + length, start + part.size);
        if (from < to) pieces.push(part.read(from - start, to - from));
        start += part.size;
      }
      const [first] = pieces;
      return pieces.length === 1 && first ? first : concatenate(pieces, length);
    },
  };
}

function concatenate(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let next = 0;
  for (const piece of pieces) {
    whole.set(piece, next);
    next += piece.length;
  }
  return whole;
}
