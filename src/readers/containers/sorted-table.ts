/**
 * Sorted tables of LevelDB, in which TensorFlow keeps the index of a checkpoint: blocks of entries whose keys are
 * written as what they do not share with the key before, an index of the blocks, and a footer.
 *
 * Source: google/leveldb, doc/table_format.md.
 */
import { TempogradError } from '../../core/errors';
import type { ByteSource } from '../byte-source';
import { checkLimit, type CountedLimits } from '../limits';
import { OBJECT_BYTES } from '../object-count';
import { crc32c, maskCrc } from './crc32c';
import { inflateSnappy, snappySize } from './snappy';
import { readVarint } from './varint';

const FOOTER_BYTES = 48;
/** Type of compression, checksum. */
const TRAILER_BYTES = 5;
const UNCOMPRESSED = 0;
const SNAPPY = 1;

/** An entry without its key: a view of a block, and where it is found. */
const ENTRY_BYTES = 3 * OBJECT_BYTES.record;

/** An entry of a table; its key as one character per byte. */
export interface TableEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

/** Where a block lies. */
interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

/**
 * The entries of a table in order of their keys, every checksum held.
 *
 * @param source - The file.
 * @param what - Its name, for messages.
 * @param limits - Caps.
 * @throws TempogradError `reader/truncated`, `reader/corrupt`, `reader/limit-exceeded`.
 */
export function readSortedTable(
  source: ByteSource,
  what: string,
  limits: CountedLimits,
): ReadonlyMap<string, Uint8Array> {
  checkLimit(`Size of ${what} in bytes`, source.size, 'maxIndexBytes', limits);
  if (source.size < FOOTER_BYTES) throw damaged(what, source.size, 'it is shorter than its footer');
  const footer = new BytesReader(source.read(source.size - FOOTER_BYTES, FOOTER_BYTES), what);
  footer.handle();
  const index = readBlock(source, footer.handle(), what, limits);
  const entries = new Map<string, Uint8Array>();
  let last = '';
  let end = 0;
  let keyBytes = 0;
  for (const { value } of blockEntries(index, what)) {
    const handle = new BytesReader(value, what).handle();
    if (handle.offset < end) throw damaged(what, handle.offset, 'two blocks overlap');
    end = handle.offset + handle.size + TRAILER_BYTES;
    for (const entry of blockEntries(readBlock(source, handle, what, limits), what)) {
      if (entries.size > 0 && entry.key <= last) throw damaged(what, handle.offset, 'its keys are out of order');
      last = entry.key;
      keyBytes += entry.key.length;
      checkLimit(`Length of all keys of ${what}`, keyBytes, 'maxIndexBytes', limits);
      limits.objects.add(ENTRY_BYTES + entry.key.length);
      entries.set(entry.key, entry.value);
      checkLimit(`Number of entries of ${what}`, entries.size, 'maxIndexEntries', limits);
    }
  }
  return entries;
}

function readBlock(source: ByteSource, { offset, size }: BlockHandle, what: string, limits: CountedLimits): Uint8Array {
  if (offset + size + TRAILER_BYTES > source.size) {
    throw new TempogradError(
      'reader/truncated',
      `${what}: a block of ${String(size)} bytes at ${String(offset)} leaves the file of ${String(source.size)} bytes`,
      { details: { offset, size } },
    );
  }
  const block = source.read(offset, size + TRAILER_BYTES);
  const stored = new DataView(block.buffer, block.byteOffset, block.byteLength).getUint32(size + 1, true);
  if (maskCrc(crc32c(block.subarray(0, size + 1))) !== stored) {
    throw damaged(what, offset, 'the checksum of a block is wrong');
  }
  const type = block[size];
  limits.objects.add(type === SNAPPY ? snappySize(block) : size);
  if (type === UNCOMPRESSED) return block.subarray(0, size);
  if (type === SNAPPY) return inflateSnappy(block.subarray(0, size), `a block of ${what}`);
  throw damaged(what, offset, `a block is compressed in the unknown way ${String(type)}`);
}

/** Entries of one block; behind them stand the places of restarts, which only a search needs. */
function* blockEntries(block: Uint8Array, what: string): Generator<TableEntry> {
  if (block.length < 4) throw damaged(what, 0, 'a block has no end');
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const restarts = view.getUint32(block.length - 4, true);
  const end = block.length - 4 - 4 * restarts;
  if (end < 0) throw damaged(what, 0, `a block has ${String(restarts)} restarts, more than it has room for`);
  const reader = new BytesReader(block.subarray(0, end), what);
  let key = '';
  while (!reader.isAtEnd) {
    const shared = reader.varint();
    const rest = reader.varint();
    const valueBytes = reader.varint();
    if (shared > key.length) throw damaged(what, 0, 'a key shares more than there is');
    key = key.slice(0, shared) + reader.binary(rest);
    yield { key, value: reader.take(valueBytes) };
  }
}

/** Varints and pieces of bytes in memory. */
class BytesReader {
  #next = 0;
  readonly #bytes: Uint8Array;
  readonly #what: string;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get isAtEnd(): boolean {
    return this.#next >= this.#bytes.length;
  }

  varint(): number {
    const value = readVarint(() => this.#bytes[this.#next++], 10);
    if (value !== null && Number.isSafeInteger(value)) return value;
    throw damaged(this.#what, this.#next, 'a number is not one');
  }

  handle(): BlockHandle {
    return { offset: this.varint(), size: this.varint() };
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#next) throw damaged(this.#what, this.#next, 'an entry leaves its block');
    this.#next += length;
    return this.#bytes.subarray(this.#next - length, this.#next);
  }

  binary(length: number): string {
    return toBinary(this.take(length));
  }
}

/**
 * Bytes as a text of one character per byte, which sorts as they do.
 *
 * @param bytes - The bytes.
 */
export function toBinary(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function damaged(what: string, offset: number, reason: string): TempogradError {
  return new TempogradError('reader/corrupt', `${what} is damaged at byte ${String(offset)}: ${reason}`, {
    details: { offset },
  });
}
