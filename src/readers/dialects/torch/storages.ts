/** Every storage that an unpickled value refers to, for the layout in which storages have no names of their own. */
import { PickleGlobal, PickleObject, PicklePersistent, type PickleValue } from '../../containers/pickle-values';
import { itemsOf, storageOf, type TorchStorage } from './pickled-tensors';

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
