/**
 * PyTorch's layout before 1.6: pickles of magic number, protocol, system, object and keys, then the storages, each behind
 * its number of elements. A tensor inside a bare pickle is a whole file of this layout.
 *
 * Source: torch/serialization.py (`_legacy_load`, `_legacy_save`).
 */
import { TempogradError } from '../../../core/errors';
import { sliceSource, type ByteSource } from '../../byte-source';
import { unpickle } from '../../containers/pickle';
import type { PickleGlobal, PickleValue } from '../../containers/pickle-values';
import type { CountedLimits } from '../../limits';
import { entriesOf, itemsOf } from './records';
import { bytesOfStorage, collectStorages, type TorchFile, type TorchStorage } from './storages';

/** The first value of such a file. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
const COUNT_BYTES = 8;

/** An unpickled file. */
export interface LegacyContent {
  readonly value: PickleValue;
  readonly globals: readonly PickleGlobal[];
  readonly file: TorchFile;
}

/**
 * Whether the first pickle of a file opens this layout.
 *
 * @param first - Its value.
 */
export function isLegacyMagic(first: PickleValue): boolean {
  return first === MAGIC;
}

/**
 * The object of a file of this layout and where its storages lie.
 *
 * @param source - The file.
 * @param at - Offset behind the magic number.
 * @param name - Its name, for messages.
 * @param limits - Caps.
 * @throws TempogradError `reader/truncated`, `reader/corrupt`, `reader/limit-exceeded`, `reader/unknown-format`.
 */
export function readLegacy(source: ByteSource, at: number, name: string, limits: CountedLimits): LegacyContent {
  const protocol = unpickle(source, at, name, limits);
  if (protocol.value !== PROTOCOL) {
    throw new TempogradError('reader/unknown-format', `${name} has an unknown protocol of PyTorch's old layout`);
  }
  const system = unpickle(source, protocol.end, name, limits);
  const object = unpickle(source, system.end, name, limits);
  const keys = unpickle(source, object.end, name, limits);
  const littleEndian = entriesOf(system.value)?.get('little_endian') !== false;
  const places = placeStorages(source, keys, collectStorages(object.value), littleEndian, name);
  const open = ({ key }: TorchStorage): Promise<ByteSource> => {
    const place = places.get(key);
    if (place) return Promise.resolve(place);
    return Promise.reject(corrupt(`${name} refers to the storage ${key}, which it does not hold`));
  };
  return {
    value: object.value,
    globals: object.globals,
    file: { name, littleEndian, limits, open, nested: new Map() },
  };
}

function placeStorages(
  source: ByteSource,
  keys: { readonly value: PickleValue; readonly end: number },
  storages: ReadonlyMap<string, TorchStorage>,
  littleEndian: boolean,
  name: string,
): ReadonlyMap<string, ByteSource> {
  const places = new Map<string, ByteSource>();
  let at = keys.end;
  for (const key of itemsOf(keys.value)) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (typeof key !== 'string' || !storage) throw corrupt(`${name} lists a storage that no tensor refers to`);
    const head = source.read(at, COUNT_BYTES);
    const count = Number(new DataView(head.buffer, head.byteOffset, COUNT_BYTES).getBigInt64(0, littleEndian));
    if (count !== storage.count) {
      throw corrupt(
        `Storage ${key} of ${name} has ${String(count)} elements, its tensors say ${String(storage.count)}`,
      );
    }
    const bytes = bytesOfStorage(storage);
    if (bytes === null) throw corrupt(`Storage ${key} of ${name} has elements of unknown size`);
    places.set(key, sliceSource(source, at + COUNT_BYTES, bytes));
    at += COUNT_BYTES + bytes;
  }
  return places;
}

function corrupt(message: string): TempogradError {
  return new TempogradError('reader/corrupt', message);
}
