/**
 * Snappy blocks: literals and copies from what was written before.
 *
 * Source: google/snappy, format_description.txt.
 */
import { TempogradError } from '../../core/errors';
import { readVarint } from './varint';

/** A copy of three bytes gives 64 at most, so that no honest block grows more. */
const MAX_RATIO = 22;

/**
 * How many bytes a block says that it holds; 0 where it says nothing, or what no block can hold.
 *
 * @param block - The compressed block.
 */
export function snappySize(block: Uint8Array): number {
  let next = 0;
  const size = readVarint(() => block[next++], 5) ?? 0;
  return size > MAX_RATIO * block.length ? 0 : size;
}

/**
 * The bytes that a block holds.
 *
 * @param block - The compressed block.
 * @param what - Its name, for messages.
 * @throws TempogradError `reader/corrupt`
 */
export function inflateSnappy(block: Uint8Array, what: string): Uint8Array {
  const damaged = (at: number): TempogradError =>
    new TempogradError('reader/corrupt', `${what} is no Snappy block: it is damaged at byte ${String(at)}`);
  let next = 0;
  const byte = (): number => {
    const value = block[next];
    if (value === undefined) throw damaged(next);
    next++;
    return value;
  };
  const number = (bytes: number): number => {
    let value = 0;
    for (let index = 0; index < bytes; index++) value += byte() * 2 ** (8 * index);
    return value;
  };
  const size = readVarint(byte, 5) ?? Infinity;
  if (size > MAX_RATIO * block.length) throw damaged(0);
  const output = new Uint8Array(size);
  let written = 0;
  while (next < block.length) {
    const tag = byte();
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >> 2;
      const length = 1 + (short < 60 ? short : number(short - 59));
      if (next + length > block.length || written + length > size) throw damaged(next);
      output.set(block.subarray(next, next + length), written);
      next += length;
      written += length;
      continue;
    }
    const length = kind === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2);
    const distance = kind === 1 ? (tag >> 5) * 256 + byte() : number(kind === 2 ? 2 : 4);
    if (distance === 0 || distance > written || written + length > size) throw damaged(next);
    // Byte by byte: a copy may reach into what it writes itself.
    for (let index = 0; index < length; index++, written++) output[written] = output[written - distance] ?? 0;
  }
  if (written !== size) throw damaged(next);
  return output;
}
