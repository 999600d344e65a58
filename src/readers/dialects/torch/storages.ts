/**
 * The storages that a pickle refers to: where they are named, and which of them an unpickled value needs.
 *
 * Source: torch/serialization.py (persistent ids), torch/storage.py (names of types).
 */
import { PickleGlobal, PickleObject, PicklePersistent, type PickleValue } from '../../containers/pickle-values';
import type { ByteSource } from '../../byte-source';
import type { CountedLimits } from '../../limits';
import { itemBytesOf } from '../../stored-numbers';
import { isCount, itemsOf } from './records';

/** A storage that a pickle refers to. */
export interface TorchStorage {
  readonly key: string;
  /** `float32`; null where only the tensor knows (an untyped storage). */
  readonly dtype: string | null;
  /** Elements, or bytes of an untyped one. */
  readonly count: number;
  /** First element, of a view into another storage (before PyTorch 0.4). */
  readonly viewOffset: number;
}

/** A file of its own inside the pickle, around a storage. */
export interface NestedStorage {
  /** null where it holds anything else. */
  readonly storage: TorchStorage | null;
  readonly file: TorchFile;
  /** What its own pickle would import. */
  readonly globals: readonly PickleGlobal[];
}

/** How the numbers of a file are stored. */
export interface TorchFile {
  readonly name: string;
  readonly littleEndian: boolean;
  readonly limits: CountedLimits;
  /**
   * The bytes of a storage of this file.
   *
   * @throws TempogradError `reader/corrupt` when the file does not hold it.
   */
  readonly open: (storage: TorchStorage) => Promise<ByteSource>;
  /** Storages that a bare pickle carries inside it, by the record that loads them; null for bytes that are no such file. */
  readonly nested: Map<PickleValue, NestedStorage | null>;
}

const STORAGE_TYPES: Readonly<Record<string, string>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  ComplexFloatStorage: 'complex64',
  ComplexDoubleStorage: 'complex128',
  QInt8Storage: 'qint8',
  QUInt8Storage: 'quint8',
  QInt32Storage: 'qint32',
};

const QUANTIZED_BYTES: Readonly<Record<string, number>> = { qint8: 1, quint8: 1, qint32: 4 };

/**
 * Bytes of one element; null for a type of unknown size.
 *
 * @param dtype - `float32`, `qint8`.
 */
export function elementBytesOf(dtype: string): number | null {
  return itemBytesOf(dtype) ?? (Object.hasOwn(QUANTIZED_BYTES, dtype) ? (QUANTIZED_BYTES[dtype] ?? null) : null);
}

/**
 * Bytes of a whole storage by what the pickle says of it; null for a type of unknown size.
 *
 * @param storage - The storage.
 */
export function bytesOfStorage({ dtype, count }: TorchStorage): number | null {
  const bytes = dtype === null ? 1 : elementBytesOf(dtype);
  return bytes === null ? null : count * bytes;
}

/**
 * The storage that a persistent reference names, null when it names none.
 *
 * @param value - Any value.
 */
export function storageOf(value: PickleValue): TorchStorage | null {
  if (!(value instanceof PicklePersistent)) return null;
  const [kind, type, key, , count, view] = itemsOf(value.id);
  if (kind !== 'storage' || !(type instanceof PickleGlobal) || !isCount(count)) return null;
  if (typeof key !== 'string' || !/^[\w.-]{1,64}$/.test(key)) return null;
  const [, viewOffset] = itemsOf(view ?? null);
  return { key, dtype: typeOf(type), count, viewOffset: isCount(viewOffset) ? viewOffset : 0 };
}

/** A type that is not known keeps its name; null for bytes whose type only the tensor knows. */
function typeOf({ name }: PickleGlobal): string | null {
  if (name === 'UntypedStorage') return null;
  return Object.hasOwn(STORAGE_TYPES, name) ? (STORAGE_TYPES[name] ?? null) : name;
}

/**
 * The storages by key; of two references to one key the first counts.
 *
 * @param value - The value; containers may refer to one another in any way.
 */
export function collectStorages(value: PickleValue): ReadonlyMap<string, TorchStorage> {
  const storages = new Map<string, TorchStorage>();
  const seen = new Set<PickleValue>();
  const waiting: PickleValue[] = [value];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next !== 'object' || next === null || next instanceof PickleGlobal || seen.has(next)) continue;
    seen.add(next);
    if (next instanceof PicklePersistent) {
      const storage = storageOf(next);
      if (storage && !storages.has(storage.key)) storages.set(storage.key, storage);
    }
    // One by one: a list may be longer than a call takes arguments.
    for (const part of partsOf(next)) waiting.push(part);
  }
  return storages;
}

function* partsOf(value: PickleValue & object): Generator<PickleValue> {
  if (value instanceof PickleObject) {
    yield* [value.callable, value.args, value.state];
    yield* value.items;
    for (const entry of value.entries) yield* entry;
  } else if (value instanceof Map) {
    for (const entry of value) yield* entry;
  } else if (value instanceof Set) yield* value;
  else yield* itemsOf(value as PickleValue);
}
