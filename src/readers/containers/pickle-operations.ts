/**
 * What each operation of a pickle does to the stack.
 *
 * Source: Python's pickletools.py; the subset is that of torch/_weights_only_unpickler.py with the opcodes of protocol 4.
 */
import type { TempogradError } from '../../core/errors';
import { OBJECT_BYTES, type ObjectCount } from '../object-count';
import {
  type PickleBytes,
  PickleGlobal,
  PickleObject,
  PicklePersistent,
  PickleTuple,
  type PickleValue,
} from './pickle-values';

/** The stack, the memo and the bytes, as the operations use them. */
export interface PickleMachine {
  /** Told of every object before it is made. */
  readonly objects: ObjectCount;
  push(value: PickleValue): void;
  /** Opens a level that `popToMark` closes. */
  mark(): void;
  pop(): PickleValue;
  top(): PickleValue;
  /** The values above the last mark; the mark goes too. */
  popToMark(): PickleValue[];
  /** POP of a value or of a mark. */
  drop(): void;
  remember(index: number): void;
  rememberNext(): void;
  recall(index: number): void;
  global(module: string, name: string): void;
  uint(bytes: number): number;
  int32(): number;
  double(): number;
  /** The length that a value declares in so many bytes, held against the file before anything is taken. */
  length(bytes: number, isSigned?: boolean): number;
  take(length: number): Uint8Array;
  /** Bytes that stay in the file. */
  bytes(length: number): PickleBytes;
  text(length: number): string;
  line(): string;
  fail(reason: string): TempogradError;
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

function long(machine: PickleMachine, length: number): void {
  if (length > MAX_LONG_BYTES) throw machine.fail(`a number has ${String(length)} bytes`);
  machine.objects.add(OBJECT_BYTES.record);
  machine.push(length === 0 ? 0 : toLong(machine.take(length)));
}

function tuple(machine: PickleMachine, count: number): void {
  const items: PickleValue[] = [];
  for (let index = 0; index < count; index++) items.unshift(machine.pop());
  pushTuple(machine, items);
}

function pushTuple(machine: PickleMachine, items: readonly PickleValue[]): void {
  machine.objects.add(OBJECT_BYTES.list + OBJECT_BYTES.record + OBJECT_BYTES.entry * items.length);
  machine.push(new PickleTuple(items));
}

function pushList(machine: PickleMachine, items: PickleValue[]): void {
  machine.objects.add(OBJECT_BYTES.list + OBJECT_BYTES.entry * items.length);
  machine.push(items);
}

function pushMap(machine: PickleMachine): void {
  machine.objects.add(OBJECT_BYTES.dictionary);
  machine.push(new Map());
}

function pushSet(machine: PickleMachine, items: readonly PickleValue[]): void {
  machine.objects.add(OBJECT_BYTES.dictionary + OBJECT_BYTES.pair * items.length);
  machine.push(new Set(items));
}

function append(machine: PickleMachine, values: readonly PickleValue[]): void {
  const target = machine.top();
  const list = Array.isArray(target) ? target : target instanceof PickleObject ? target.itemsToFill() : null;
  if (!list) throw machine.fail('a value is appended to what is no list');
  machine.objects.add(OBJECT_BYTES.entry * values.length);
  for (const value of values) list.push(value);
}

function setItems(machine: PickleMachine, values: readonly PickleValue[]): void {
  const target = machine.top();
  const map = target instanceof Map ? target : target instanceof PickleObject ? target.entriesToFill() : null;
  if (!map || values.length % 2 !== 0) throw machine.fail('an entry is put into what is no dictionary');
  machine.objects.add((OBJECT_BYTES.pair * values.length) / 2);
  for (let index = 0; index < values.length; index += 2) map.set(values[index] ?? null, values[index + 1] ?? null);
}

function addItems(machine: PickleMachine, values: readonly PickleValue[]): void {
  const target = machine.top();
  if (!(target instanceof Set)) throw machine.fail('a value is added to what is no set');
  machine.objects.add(OBJECT_BYTES.pair * values.length);
  for (const value of values) target.add(value);
}

function stackGlobal(machine: PickleMachine): void {
  const name = machine.pop();
  const module = machine.pop();
  if (typeof name !== 'string' || typeof module !== 'string') throw machine.fail('an import has no name');
  machine.global(module, name);
}

/** A call is only written down. */
function reduce(machine: PickleMachine): void {
  const args = machine.pop();
  machine.objects.add(OBJECT_BYTES.record);
  machine.push(new PickleObject(machine.pop(), args));
}

function build(machine: PickleMachine): void {
  const state = machine.pop();
  const target = machine.top();
  if (target instanceof PickleObject) target.state = state;
  else if (target instanceof PickleGlobal || target instanceof PicklePersistent) return;
  else throw machine.fail('a state is given to what is no object');
}

/** Never filled, so that one will do. */
const EMPTY_TUPLE = new PickleTuple([]);

const character = (sign: string): number => sign.charCodeAt(0);

/** Opcodes by their byte. Those that are not here make classes or call by position, and are of protocols 0 and 1. */
export const PICKLE_OPERATIONS: ReadonlyMap<number, (machine: PickleMachine) => void> = new Map<
  number,
  (machine: PickleMachine) => void
>([
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
  [character('B'), (m) => m.push(m.bytes(m.length(4)))],
  [character('C'), (m) => m.push(m.bytes(m.length(1)))],
  [0x8e, (m) => m.push(m.bytes(m.length(8)))],
  [0x96, (m) => m.push(m.bytes(m.length(8)))],
  [character(')'), (m) => m.push(EMPTY_TUPLE)],
  [character('t'), (m) => pushTuple(m, m.popToMark())],
  [0x85, (m) => tuple(m, 1)],
  [0x86, (m) => tuple(m, 2)],
  [0x87, (m) => tuple(m, 3)],
  [character(']'), (m) => pushList(m, [])],
  [character('l'), (m) => pushList(m, m.popToMark())],
  [character('a'), (m) => append(m, [m.pop()])],
  [character('e'), (m) => append(m, m.popToMark())],
  [character('}'), pushMap],
  [
    character('s'),
    (m) => {
      const value = m.pop();
      setItems(m, [m.pop(), value]);
    },
  ],
  [character('u'), (m) => setItems(m, m.popToMark())],
  [0x8f, (m) => pushSet(m, [])],
  [0x90, (m) => addItems(m, m.popToMark())],
  [0x91, (m) => pushSet(m, m.popToMark())],
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
  [
    character('Q'),
    (m) => {
      m.objects.add(OBJECT_BYTES.record);
      m.push(new PicklePersistent(m.pop()));
    },
  ],
  [character('q'), (m) => m.remember(m.uint(1))],
  [character('r'), (m) => m.remember(m.uint(4))],
  [0x94, (m) => m.rememberNext()],
  [character('h'), (m) => m.recall(m.uint(1))],
  [character('j'), (m) => m.recall(m.uint(4))],
]);
