/**
 * Python pickles, read by an interpreter that knows values and containers and nothing else.
 *
 * What a pickle would import is only a record of its name, and what it would call only a record of the call: nothing is
 * ever looked up or run. Whoever reads the result decides which records have a meaning.
 */
import { TempogradError } from '../../core/errors';
import { sliceSource, type ByteSource } from '../byte-source';
import { checkLimit, type CountedLimits } from '../limits';
import { OBJECT_BYTES, type ObjectCount } from '../object-count';
import { PICKLE_OPERATIONS, type PickleMachine } from './pickle-operations';
import { PickleBytes, PickleGlobal, type PickleValue } from './pickle-values';

/** What one pickle holds. */
export interface Unpickled {
  readonly value: PickleValue;
  /** Every name that it would import, once, in order. */
  readonly globals: readonly PickleGlobal[];
  /** Offset behind its end. */
  readonly end: number;
}

const MARK = Symbol('mark');
type StackItem = PickleValue | typeof MARK;

const NEWLINE = 10;
const MAX_LINE_BYTES = 4096;
const WINDOW_BYTES = 1 << 16;

/**
 * The value of the pickle that starts at an offset.
 *
 * @param source - The file.
 * @param start - Where it starts.
 * @param what - Its name, for messages.
 * @param limits - Caps on nesting, stack, memo, texts, and on all that is made.
 * @throws TempogradError `reader/truncated`, `reader/corrupt` (an operation that is unknown or does not fit),
 * `reader/limit-exceeded`.
 */
export function unpickle(source: ByteSource, start: number, what: string, limits: CountedLimits): Unpickled {
  return new Machine(source, start, what, limits).run();
}

/** The stack, the marks, the memo. */
class Machine implements PickleMachine {
  readonly #source: ByteSource;
  readonly #what: string;
  readonly #limits: CountedLimits;
  readonly objects: ObjectCount;
  #at: number;
  #window: Uint8Array = new Uint8Array(0);
  #windowStart = 0;
  #stack: StackItem[] = [];
  #marks = 0;
  readonly #memo = new Map<number, PickleValue>();
  readonly #globals = new Map<string, PickleGlobal>();

  constructor(source: ByteSource, start: number, what: string, limits: CountedLimits) {
    this.#source = source;
    this.#at = start;
    this.#what = what;
    this.#limits = limits;
    this.objects = limits.objects;
  }

  run(): Unpickled {
    for (;;) {
      const opcode = this.#byte();
      if (opcode === 0x2e) {
        const value = this.#pop();
        if (this.#stack.length > 0) throw this.#corrupt('it ends with values left over');
        return { value, globals: [...this.#globals.values()], end: this.#at };
      }
      this.#step(opcode);
      checkLimit(`Values that ${this.#what} has open at once`, this.#stack.length, 'maxPickleStack', this.#limits);
    }
  }

  #step(opcode: number): void {
    const action = PICKLE_OPERATIONS.get(opcode);
    if (!action) throw this.#corrupt(`the operation 0x${opcode.toString(16)} is unknown, or needs code to run`);
    action(this);
  }

  push(value: StackItem): void {
    this.objects.add(OBJECT_BYTES.entry);
    this.#stack.push(value);
  }

  mark(): void {
    checkLimit(`Nesting of ${this.#what}`, ++this.#marks, 'maxPickleDepth', this.#limits);
    this.push(MARK);
  }

  pop(): PickleValue {
    return this.#pop();
  }

  top(): PickleValue {
    const value = this.#stack.at(-1);
    if (value === undefined || value === MARK) throw this.#corrupt('an operation finds no value');
    return value;
  }

  /** The values above the last mark; the mark goes too. */
  popToMark(): PickleValue[] {
    const at = this.#stack.lastIndexOf(MARK);
    if (at < 0) throw this.#corrupt('an operation finds no mark');
    const values = this.#stack.splice(at).slice(1) as PickleValue[];
    this.#marks--;
    return values;
  }

  /** POP of a value or of a mark. */
  drop(): void {
    const value = this.#stack.pop();
    if (value === undefined) throw this.#corrupt('an operation finds no value');
    if (value === MARK) this.#marks--;
  }

  remember(index: number): void {
    if (!this.#memo.has(index)) {
      checkLimit(`Values that ${this.#what} remembers`, this.#memo.size + 1, 'maxPickleMemo', this.#limits);
      this.objects.add(OBJECT_BYTES.pair);
    }
    this.#memo.set(index, this.top());
  }

  rememberNext(): void {
    this.remember(this.#memo.size);
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#corrupt(`it recalls value ${String(index)}, which it never kept`);
    this.push(value);
  }

  global(module: string, name: string): void {
    const key = `${module}\n${name}`;
    const known = this.#globals.get(key);
    if (!known) this.objects.add(OBJECT_BYTES.record + OBJECT_BYTES.pair + 2 * (OBJECT_BYTES.text + key.length));
    const global = known ?? new PickleGlobal(module, name);
    this.#globals.set(key, global);
    this.push(global);
  }

  uint(bytes: number): number {
    let value = 0;
    for (let index = 0; index < bytes; index++) value += this.#byte() * 2 ** (8 * index);
    return value;
  }

  int32(): number {
    return this.uint(4) | 0;
  }

  double(): number {
    this.objects.add(OBJECT_BYTES.entry);
    const bytes = this.take(8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, false);
  }

  /** The length that a text or an integer declares, held against the file before anything is taken. */
  length(bytes: number, isSigned = false): number {
    const value = isSigned ? this.int32() : this.uint(bytes);
    if (value < 0) throw this.#corrupt(`a length is ${String(value)}`);
    if (value > this.#source.size - this.#at) throw this.#truncated();
    return value;
  }

  take(length: number): Uint8Array {
    checkLimit(`Size of one value of ${this.#what}`, length, 'maxPickleValueBytes', this.#limits);
    if (length > this.#source.size - this.#at) throw this.#truncated();
    if (length <= WINDOW_BYTES) this.#lookAt(length);
    const inside = this.#at - this.#windowStart;
    const isInside = inside >= 0 && inside + length <= this.#window.length;
    const bytes = isInside ? this.#window.subarray(inside, inside + length) : this.#source.read(this.#at, length);
    this.#at += length;
    return bytes;
  }

  bytes(length: number): PickleBytes {
    this.objects.add(2 * OBJECT_BYTES.record);
    const bytes = new PickleBytes(sliceSource(this.#source, this.#at, length));
    this.#at += length;
    return bytes;
  }

  text(length: number): string {
    this.objects.addText(length);
    return decodeText(this.take(length));
  }

  line(): string {
    const bytes: number[] = [];
    for (let byte = this.#byte(); byte !== NEWLINE; byte = this.#byte()) {
      if (bytes.push(byte) > MAX_LINE_BYTES) throw this.#corrupt('a line does not end');
    }
    return decodeText(Uint8Array.from(bytes));
  }

  fail(reason: string): TempogradError {
    return this.#corrupt(reason);
  }

  #pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw this.#corrupt('an operation finds no value');
    return value;
  }

  #byte(): number {
    if (this.#at >= this.#source.size) throw this.#truncated();
    this.#lookAt(1);
    return this.#window[this.#at++ - this.#windowStart] ?? 0;
  }

  /** Has so many of the next bytes in the window: reading each value from the file would take a call for each. */
  #lookAt(length: number): void {
    const inside = this.#at - this.#windowStart;
    if (inside >= 0 && inside + length <= this.#window.length) return;
    this.#windowStart = this.#at;
    this.#window = this.#source.read(this.#at, Math.min(WINDOW_BYTES, this.#source.size - this.#at));
  }

  #truncated(): TempogradError {
    return new TempogradError('reader/truncated', `${this.#what} ends in the middle of a value`, {
      details: { offset: this.#at },
    });
  }

  #corrupt(reason: string): TempogradError {
    return new TempogradError(
      'reader/corrupt',
      `${this.#what} is no pickle that can be read, at byte ${String(this.#at)}: ${reason}`,
      { details: { offset: this.#at } },
    );
  }
}

/** Python 2 wrote texts in any encoding; a name that is not UTF-8 is still a name. */
function decodeText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8').decode(bytes);
}
