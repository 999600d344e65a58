/**
 * JSON from a stranger: size and depth are known before it is parsed, keys are only ever read, never copied.
 *
 * Python writes NaN and Infinity, which JSON does not have: they become null and overflowing numbers.
 */
import { TempogradError } from '../core/errors';
import { checkLimit, type CountedLimits } from './limits';
import { OBJECT_BYTES } from './object-count';

/** Any JSON value. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object; read it with `field`, which sees own keys only. */
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/**
 * The value that a text holds.
 *
 * @param text - The text.
 * @param what - Its name in the file, for messages.
 * @param limits - Caps on size, depth, and on what it becomes.
 * @throws TempogradError `reader/corrupt` when it is not JSON, `reader/limit-exceeded`.
 */
export function parseJson(text: string, what: string, limits: CountedLimits): JsonValue {
  checkLimit(`Size of ${what} in characters`, text.length, 'maxJsonBytes', limits);
  const { depth, parts, texts, text: strict } = scanJson(text);
  checkLimit(`Nesting of ${what}`, depth, 'maxJsonDepth', limits);
  limits.objects.add(text.length + PART_BYTES * parts + OBJECT_BYTES.text * texts);
  try {
    return JSON.parse(strict) as JsonValue;
  } catch (cause) {
    throw new TempogradError('reader/corrupt', `${what} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** An object, a list, or an entry of one. */
const PART_BYTES = OBJECT_BYTES.pair;

interface ScannedJson {
  readonly depth: number;
  /** Objects, lists and their entries. */
  readonly parts: number;
  readonly texts: number;
  /** With Python's NaN and Infinity put into JSON's words. */
  readonly text: string;
}

/** What a text would become, without making it. */
function scanJson(text: string): ScannedJson {
  let depth = 0;
  let deepest = 0;
  let parts = 0;
  let texts = 0;
  let pieces = '';
  let copied = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) {
      index = endOfString(text, index);
      texts++;
    } else if (code === 0x7b || code === 0x5b) {
      deepest = Math.max(deepest, ++depth);
      parts++;
    } else if (code === 0x2c) {
      parts++;
    } else if (code === 0x7d || code === 0x5d) {
      depth--;
    } else if (code === 0x4e || code === 0x49) {
      const word = code === 0x4e ? 'NaN' : 'Infinity';
      if (!text.startsWith(word, index)) continue;
      pieces += text.slice(copied, index) + (code === 0x4e ? 'null' : '1e999');
      index += word.length - 1;
      copied = index + 1;
    }
  }
  return { depth: deepest, parts, texts, text: copied === 0 ? text : pieces + text.slice(copied) };
}

function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x5c) index++;
    else if (code === 0x22) return index;
  }
  return text.length;
}

/**
 * True for a JSON object (not an array, not null).
 *
 * @param value - Any value.
 */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * True for a JSON array.
 *
 * @param value - Any value.
 */
export function isArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/**
 * An own field of an object, undefined when it has none or is no object.
 *
 * @param value - Any value.
 * @param key - The key.
 */
export function field(value: JsonValue | undefined, key: string): JsonValue | undefined {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/**
 * A string field, or null.
 *
 * @param value - Any value.
 * @param key - The key.
 */
export function stringField(value: JsonValue | undefined, key: string): string | null {
  const found = field(value, key);
  return typeof found === 'string' ? found : null;
}
