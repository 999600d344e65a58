/**
 * Python pickles, read by an interpreter that knows values and containers and nothing else.
 *
 * What a pickle would import is only a record of its name, and what it would call only a record of the call: nothing is
 * ever looked up or run. Whoever reads the result decides which records have a meaning.
 * Source: Python's pickletools.py (opcodes of protocols 0 to 5); the subset is that of torch/_weights_only_unpickler.py
 * with the opcodes of protocol 4.
 */
import { TempogradError } from '../../core/errors';
import type { ByteSource } from '../byte-source';
import { checkLimit, type ReadLimits } from '../limits';

/** A name that the pickle would import. */
export class PickleGlobal {
  /**
   * @param module - `torch._utils`.
   * @param name - `_rebuild_tensor_v2`.
   */
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}

  /** `torch._utils._rebuild_tensor_v2`, for lists and messages. */
  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object that the pickle would make by a call, with what it would be filled with. */
export class PickleObject {
  /** Set by BUILD. */
  state: PickleValue = null;
  /** Filled by APPEND(S) on something that is no list. */
  readonly items: PickleValue[] = [];
  /** Filled by SETITEM(S) on something that is no dictionary. */
  readonly entries = new Map<PickleValue, PickleValue>();

  /**
   * @param callable - What would be called, usually a `PickleGlobal`.
   * @param args - With what.
   */
  constructor(
    readonly callable: PickleValue,
    readonly args: PickleValue,
  ) {}
}

/** A reference to data outside the pickle (BINPERSID). */
export class PicklePersistent {
  /** @param id - For PyTorch a tuple that names a storage. */
  constructor(readonly id: PickleValue) {}
}

/** A tuple, to tell it from a list. */
export class PickleTuple {
  /** @param items - Its items. */
  constructor(readonly items: readonly PickleValue[]) {}
}

/** Whatever a pickle can hold. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | PickleTuple
  | PickleGlobal
  | PickleObject
  | PicklePersistent;

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
 * @param limits - Caps on nesting, stack, memo and texts.
 * @throws TempogradError `reader/truncated`, `reader/corrupt` (an operation that is unknown or does not fit),
 * `reader/limit-exceeded`.
 */
export function unpickle(source: ByteSource, start: number, what: string, limits: ReadLimits): Unpickled {
  return new Machine(source, start, what, limits).run();
}

/** The stack, the marks, the memo. */
class Machine {
  readonly #source: ByteSource;
  readonly #what: string;
  readonly #limits: ReadLimits;
  #at: number;
  #window: Uint8Array = new Uint8Array(0);
  #windowStart = 0;
  #stack: StackItem[] = [];
  #marks = 0;
  readonly #memo = new Map<number, PickleValue>();
  readonly #globals = new Map<string, PickleGlobal>();

  constructor(source: ByteSource, start: number, what: string, limits: ReadLimits) {
    this.#source = source;
    this.#at = start;
    this.#what = what;
    this.#limits = limits;
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
    const action = ACTIONS.get(opcode);
    if (!action) throw this.#corrupt(`the operation 0x${opcode.toString(16)} is unknown, or needs code to run`);
    action(this);
  }

  /* What the actions below are made of. */

  push(value: StackItem): void {
    this.#stack.push(value);
  }

  mark(): void {
    checkLimit(`Nesting of ${this.#what}`, ++this.#marks, 'maxPickleDepth', this.#limits);
    this.#stack.push(MARK);
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
    }
    this.#memo.set(index, this.top());
  }

  rememberNext(): void {
    this.remember(this.#memo.size);
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#corrupt(`it recalls value ${String(index)}, which it never kept`);
    this.#stack.push(value);
  }

  global(module: string, name: string): void {
    const key = `${module}\n${name}`;
    const known = this.#globals.get(key) ?? new PickleGlobal(module, name);
    this.#globals.set(key, known);
    this.#stack.push(known);
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
    const bytes = this.#source.read(this.#at, length);
    this.#at += length;
    return bytes;
  }

  text(length: number): string {
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
    const inside = this.#at - this.#windowStart;
    if (inside < 0 || inside >= this.#window.length) {
      if (this.#at >= this.#source.size) throw this.#truncated();
      this.#windowStart = this.#at;
      this.#window = this.#source.read(this.#at, Math.min(WINDOW_BYTES, this.#source.size - this.#at));
    }
    return this.#window[this.#at++ - this.#windowStart] ?? 0;
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

/** Little-endian two's complement of any length. */
function toLong(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index] ?? 0);
  const signed = BigInt.asIntN(8 * bytes.length, value);
  const small = Number(signed);
  return Number.isSafeInteger(small) ? small : signed;
}

const MAX_LONG_BYTES = 64;

function long(machine: Machine, length: number): void {
  if (length > MAX_LONG_BYTES) throw machine.fail(`a number has ${String(length)} bytes`);
  machine.push(length === 0 ? 0 : toLong(machine.take(length)));
}

function tuple(machine: Machine, count: number): void {
  const items: PickleValue[] = [];
  for (let index = 0; index < count; index++) items.unshift(machine.pop());
  machine.push(new PickleTuple(items));
}

function append(machine: Machine, values: readonly PickleValue[]): void {
  const target = machine.top();
  const list = Array.isArray(target) ? target : target instanceof PickleObject ? target.items : null;
  if (!list) throw machine.fail('a value is appended to what is no list');
  for (const value of values) list.push(value);
}

function setItems(machine: Machine, values: readonly PickleValue[]): void {
  const target = machine.top();
  const map = target instanceof Map ? target : target instanceof PickleObject ? target.entries : null;
  if (!map || values.length % 2 !== 0) throw machine.fail('an entry is put into what is no dictionary');
  for (let index = 0; index < values.length; index += 2) map.set(values[index] ?? null, values[index + 1] ?? null);
}

function addItems(machine: Machine, values: readonly PickleValue[]): void {
  const target = machine.top();
  if (!(target instanceof Set)) throw machine.fail('a value is added to what is no set');
  for (const value of values) target.add(value);
}

function stackGlobal(machine: Machine): void {
  const name = machine.pop();
  const module = machine.pop();
  if (typeof name !== 'string' || typeof module !== 'string') throw machine.fail('an import has no name');
  machine.global(module, name);
}

/** A call is only written down. */
function reduce(machine: Machine): void {
  const args = machine.pop();
  machine.push(new PickleObject(machine.pop(), args));
}

function build(machine: Machine): void {
  const state = machine.pop();
  const target = machine.top();
  if (target instanceof PickleObject) target.state = state;
  else if (target instanceof PickleGlobal || target instanceof PicklePersistent) return;
  else throw machine.fail('a state is given to what is no object');
}

const character = (sign: string): number => sign.charCodeAt(0);

/** Opcodes by their byte. Those that are not here make classes or call by position, and are of protocols 0 and 1. */
const ACTIONS: ReadonlyMap<number, (machine: Machine) => void> = new Map<number, (machine: Machine) => void>([
  [0x80, (m) => void m.uint(1)],
  [0x95, (m) => void m.uint(8)],
  [character('('), (m) => m.mark()],
  [character('0'), (m) => m.drop()],
  [character('1'), (m) => void m.popToMark()],
  [character('2'), (m) => m.push(m.top())],
  [character('N'), (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  [character('J'), (m) => m.push(m.int32())],
  [character('K'), (m) => m.push(m.uint(1))],
  [character('M'), (m) => m.push(m.uint(2))],
  [0x8a, (m) => long(m, m.length(1))],
  [0x8b, (m) => long(m, m.length(4, true))],
  [character('G'), (m) => m.push(m.double())],
  [character('X'), (m) => m.push(m.text(m.length(4)))],
  [0x8c, (m) => m.push(m.text(m.length(1)))],
  [0x8d, (m) => m.push(m.text(m.length(8)))],
  [character('T'), (m) => m.push(m.text(m.length(4, true)))],
  [character('U'), (m) => m.push(m.text(m.length(1)))],
  [character('B'), (m) => m.push(m.take(m.length(4)))],
  [character('C'), (m) => m.push(m.take(m.length(1)))],
  [0x8e, (m) => m.push(m.take(m.length(8)))],
  [0x96, (m) => m.push(m.take(m.length(8)))],
  [character(')'), (m) => m.push(new PickleTuple([]))],
  [character('t'), (m) => m.push(new PickleTuple(m.popToMark()))],
  [0x85, (m) => tuple(m, 1)],
  [0x86, (m) => tuple(m, 2)],
  [0x87, (m) => tuple(m, 3)],
  [character(']'), (m) => m.push([])],
  [character('l'), (m) => m.push(m.popToMark())],
  [character('a'), (m) => append(m, [m.pop()])],
  [character('e'), (m) => append(m, m.popToMark())],
  [character('}'), (m) => m.push(new Map())],
  [
    character('s'),
    (m) => {
      const value = m.pop();
      setItems(m, [m.pop(), value]);
    },
  ],
  [character('u'), (m) => setItems(m, m.popToMark())],
  [0x8f, (m) => m.push(new Set())],
  [0x90, (m) => addItems(m, m.popToMark())],
  [0x91, (m) => m.push(new Set(m.popToMark()))],
  [character('c'), (m) => m.global(m.line(), m.line())],
  [0x93, stackGlobal],
  [character('R'), reduce],
  [0x81, reduce],
  [
    0x92,
    (m) => {
      // NEWOBJ_EX: a call with named arguments, which no tensor is made by.
      m.pop();
      reduce(m);
    },
  ],
  [character('b'), build],
  [character('Q'), (m) => m.push(new PicklePersistent(m.pop()))],
  [character('q'), (m) => m.remember(m.uint(1))],
  [character('r'), (m) => m.remember(m.uint(4))],
  [0x94, (m) => m.rememberNext()],
  [character('h'), (m) => m.recall(m.uint(1))],
  [character('j'), (m) => m.recall(m.uint(4))],
]);
