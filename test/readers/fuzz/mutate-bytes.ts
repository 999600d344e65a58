/** Seeded changes to bytes that know nothing of a format. */
import type { RandomSource } from '../../../src/core/random';

/** A whole number below `limit`. */
export function below(random: RandomSource, limit: number): number {
  return Math.floor(random.nextUniform() * limit);
}

export function pick<T>(random: RandomSource, values: readonly T[]): T {
  return values[below(random, values.length)]!;
}

/** Sizes and counts that a reader must not believe. */
export const NUMBERS = [0, 1, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, 0x80000000, 8, 512];

/** The bytes with a few places changed, cut, doubled or blanked. */
export function mutateBytes(bytes: Uint8Array, random: RandomSource, from = 0, to = bytes.length): Uint8Array {
  const copy = Buffer.from(bytes);
  const start = from + below(random, Math.max(1, to - from));
  const length = Math.min(1 + below(random, 64), copy.length - start);
  switch (below(random, 6)) {
    case 0:
      for (let count = 1 + below(random, 8); count > 0; count--) {
        copy[from + below(random, Math.max(1, to - from))] = below(random, 256);
      }
      return copy;
    case 1:
      if (start + 4 <= copy.length) copy.writeUInt32LE(pick(random, NUMBERS), start);
      return copy;
    case 2:
      return copy.subarray(0, start);
    case 3:
      copy.fill(pick(random, [0, 0xff]), start, start + length);
      return copy;
    case 4:
      return Buffer.concat([copy.subarray(0, start), copy.subarray(start, start + length), copy.subarray(start)]);
    default:
      copy[start] = (copy[start] ?? 0) ^ (1 << below(random, 8));
      return copy;
  }
}
