/** The plain parts of a pickle's records: tuples, dictionaries of whatever kind, names of what would be called. */
import { checkRange, type ByteSource } from '../../byte-source';
import { PickleBytes, PickleGlobal, PickleObject, PickleTuple, type PickleValue } from '../../containers/pickle-values';

/**
 * The items of a tuple or a list; none for anything else.
 *
 * @param value - Any value.
 */
export function itemsOf(value: PickleValue): readonly PickleValue[] {
  return value instanceof PickleTuple ? value.items : Array.isArray(value) ? value : [];
}

/**
 * The dotted name of what a record would call; empty when it is no import.
 *
 * @param callable - What would be called.
 */
export function pathOf(callable: PickleValue): string {
  return callable instanceof PickleGlobal ? callable.path : '';
}

/**
 * Bytes as they are, or as protocol 2 writes them: `_codecs.encode(text, 'latin1')`; null for anything else.
 *
 * @param value - Any value.
 */
export function bytesOf(value: PickleValue): ByteSource | null {
  if (value instanceof PickleBytes) return value.source;
  if (!(value instanceof PickleObject) || pathOf(value.callable) !== '_codecs.encode') return null;
  const [text, encoding] = itemsOf(value.args);
  if (typeof text !== 'string' || encoding !== 'latin1') return null;
  return latin1Source(text);
}

/** A text of one byte for each sign; it is not copied, because one text may be an array a thousand times. */
function latin1Source(text: string): ByteSource {
  return {
    size: text.length,
    read(offset, length) {
      checkRange(text.length, offset, length);
      return Uint8Array.from({ length }, (_, index) => text.charCodeAt(offset + index));
    },
  };
}

/**
 * Whether a value is a whole number from 0 on.
 *
 * @param value - Any value.
 */
export function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/**
 * The entries of a dictionary of whatever kind with texts for keys; null for anything else.
 *
 * @param value - Any value.
 */
export function entriesOf(value: PickleValue): ReadonlyMap<string, PickleValue> | null {
  const map = value instanceof Map ? value : isOrderedDict(value) ? orderedEntries(value) : null;
  if (!map) return null;
  const entries = new Map<string, PickleValue>();
  for (const [key, item] of map) {
    const name = keyOf(key);
    if (name !== null) entries.set(name, item);
  }
  return entries;
}

/** Longer than any name of a parameter; a pickle may repeat a long text for nothing. */
const MAX_KEY_LENGTH = 1000;

/** Keys written by Python 2 come back as bytes. */
function keyOf(key: PickleValue): string | null {
  if (typeof key === 'string') return key.length <= MAX_KEY_LENGTH ? key : null;
  if (typeof key === 'number') return String(key);
  const bytes = bytesOf(key);
  if (!bytes || bytes.size > MAX_KEY_LENGTH) return null;
  return new TextDecoder('utf-8').decode(bytes.read(0, bytes.size));
}

function isOrderedDict(value: PickleValue): value is PickleObject {
  return value instanceof PickleObject && /^collections\.(OrderedDict|defaultdict)$/.test(pathOf(value.callable));
}

/** Python 2 gave an OrderedDict its entries as a list of pairs in the call. */
function orderedEntries(value: PickleObject): ReadonlyMap<PickleValue, PickleValue> {
  const pairs = itemsOf(itemsOf(value.args)[0] ?? null).map((pair) => itemsOf(pair));
  const given = pairs.flatMap((pair): [PickleValue, PickleValue][] =>
    pair.length === 2 ? [[pair[0]!, pair[1]!]] : [],
  );
  return new Map([...given, ...value.entries]);
}
