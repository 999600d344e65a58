/**
 * Protocol buffers by their wire format: numbered fields over bytes that stay where they are.
 *
 * No schema and no generated code: a reader of a format names the field numbers it wants. A message is walked once; a
 * length-delimited field is a range of the source, not a copy, so that the weights inside a large message are read only
 * when they are wanted.
 * Source: Protocol Buffers, "Encoding" (protobuf.dev/programming-guides/encoding).
 */
import { TempogradError } from '../../core/errors';
import { sliceSource, type ByteSource } from '../byte-source';

/** One field as it stands on the wire. */
export type WireField =
  | { readonly number: number; readonly type: 'varint'; readonly value: bigint }
  | { readonly number: number; readonly type: 'fixed64'; readonly bytes: Uint8Array }
  | { readonly number: number; readonly type: 'fixed32'; readonly bytes: Uint8Array }
  | { readonly number: number; readonly type: 'bytes'; readonly source: ByteSource };

/** So much is fetched at a time while fields are walked. */
const WINDOW_BYTES = 1 << 16;
const MAX_FIELD_NUMBER = 0x1fffffff;

/** Varints and short reads over a source, through a small window. */
class Cursor {
  offset = 0;
  /** Number of the field that is being read. */
  field = 0;
  readonly #source: ByteSource;
  readonly #what: string;
  #window: Uint8Array = new Uint8Array(0);
  #start = 0;

  constructor(source: ByteSource, what: string) {
    this.#source = source;
    this.#what = what;
  }

  get isAtEnd(): boolean {
    return this.offset >= this.#source.size;
  }

  byte(): number {
    const at = this.offset - this.#start;
    if (at < 0 || at >= this.#window.length) {
      if (this.isAtEnd) throw this.#truncated();
      this.#start = this.offset;
      this.#window = this.#source.read(this.offset, Math.min(WINDOW_BYTES, this.#source.size - this.offset));
      this.offset++;
      return this.#window[0] ?? 0;
    }
    this.offset++;
    return this.#window[at] ?? 0;
  }

  varint(): bigint {
    let low = 0;
    for (let index = 0; index < 4; index++) {
      const byte = this.byte();
      low += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let index = 4n; index < 10n; index++) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << (7n * index);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw damaged(this.#what, this.offset, 'a number is longer than ten bytes');
  }

  take(length: number): Uint8Array {
    if (this.offset + length > this.#source.size) throw this.#truncated();
    const bytes = this.#source.read(this.offset, length);
    this.offset += length;
    return bytes;
  }

  part(length: bigint): ByteSource {
    if (length > BigInt(this.#source.size - this.offset)) throw this.#truncated();
    const part = sliceSource(this.#source, this.offset, Number(length));
    this.offset += part.size;
    return part;
  }

  #truncated(): TempogradError {
    return new TempogradError(
      'reader/truncated',
      `${this.#what} ends inside a field, at byte ${String(this.#source.size)}`,
      { details: { offset: this.offset, size: this.#source.size, field: this.field } },
    );
  }
}

/**
 * The fields of a message in their order in the file.
 *
 * @param source - The message.
 * @param what - Its name, for messages.
 * @throws TempogradError `reader/truncated` where a field leaves the message, `reader/corrupt` where it is no message.
 */
export function* readFields(source: ByteSource, what: string): Generator<WireField> {
  const cursor = new Cursor(source, what);
  while (!cursor.isAtEnd) {
    const start = cursor.offset;
    const key = cursor.varint();
    const number = Number(key >> 3n);
    if (number < 1 || number > MAX_FIELD_NUMBER) throw damaged(what, start, `there is no field ${String(number)}`);
    cursor.field = number;
    const wire = Number(key & 7n);
    if (wire === 0) yield { number, type: 'varint', value: cursor.varint() };
    else if (wire === 1) yield { number, type: 'fixed64', bytes: cursor.take(8) };
    else if (wire === 2) yield { number, type: 'bytes', source: cursor.part(cursor.varint()) };
    else if (wire === 5) yield { number, type: 'fixed32', bytes: cursor.take(4) };
    // Groups (3, 4) are of protobuf 1; none of the formats read here has any.
    else throw damaged(what, start, `field ${String(number)} has the wire type ${String(wire)}`);
  }
}

/**
 * The text of a length-delimited field.
 *
 * @param source - The field.
 * @param what - Its name, for messages.
 * @param maxBytes - A longer one is refused.
 * @throws TempogradError `reader/limit-exceeded`, `reader/corrupt` when it is not UTF-8.
 */
export function readText(source: ByteSource, what: string, maxBytes = MAX_TEXT_BYTES): string {
  if (source.size > maxBytes) {
    throw new TempogradError('reader/limit-exceeded', `${what} is a text of ${String(source.size)} bytes`, {
      details: { value: source.size, allowed: maxBytes },
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(source.read(0, source.size));
  } catch (cause) {
    if (cause instanceof TempogradError) throw cause;
    throw new TempogradError('reader/corrupt', `${what} is not a UTF-8 text`, { cause });
  }
}

const MAX_TEXT_BYTES = 1 << 20;

/**
 * The varints of a packed field.
 *
 * @param source - The field.
 * @param what - Its name, for messages.
 * @throws TempogradError as `readFields`.
 */
export function* readPackedVarints(source: ByteSource, what: string): Generator<bigint> {
  const cursor = new Cursor(source, what);
  while (!cursor.isAtEnd) yield cursor.varint();
}

/**
 * A varint as a signed 64-bit number.
 *
 * @param value - As read.
 * @param what - Its name, for messages.
 * @throws TempogradError `reader/corrupt` beyond the integers that a double holds.
 */
export function toInteger(value: bigint, what: string): number {
  const signed = Number(BigInt.asIntN(64, value));
  if (Number.isSafeInteger(signed)) return signed;
  throw new TempogradError('reader/corrupt', `${what} is the number ${String(signed)}, which no size or count can be`);
}

function damaged(what: string, offset: number, reason: string): TempogradError {
  return new TempogradError('reader/corrupt', `${what} is damaged at byte ${String(offset)}: ${reason}`, {
    details: { offset },
  });
}
