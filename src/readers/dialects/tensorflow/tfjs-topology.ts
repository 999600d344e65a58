/**
 * The topology of a tfjs layers-model in Keras's own words.
 *
 * TensorFlow.js writes Keras 2's words, but null for what was not said, and, from `toJSON` without Python names, its own
 * camel case. Source: tfjs-layers/src/utils/serialization_utils.ts.
 */
import { TempogradError } from '../../../core/errors';
import { field, isArray, isObject, stringField, type JsonObject, type JsonValue } from '../../json';
import type { KerasWriter } from '../keras/context';
import { writerFromConfig, writerOf } from '../keras/writer';

/** Fields of which null means "not said". */
const OPTIONAL = new Set([
  'use_bias',
  'reset_after',
  'return_sequences',
  'return_state',
  'go_backwards',
  'stateful',
  'recurrent_activation',
  'dropout',
  'recurrent_dropout',
  'mask_zero',
]);

/** A model as Keras describes it, and who wrote it. */
export interface TfjsTopology {
  /** `{ class_name, config }` */
  readonly config: JsonObject;
  readonly writer: KerasWriter;
}

/**
 * The model that a layers-model's `modelTopology` describes.
 *
 * @param topology - `modelTopology`: Keras's file attributes, or the model itself.
 * @param name - The file's name, for messages.
 * @throws TempogradError `reader/corrupt` when it is no description.
 */
export function readTfjsTopology(topology: JsonValue | undefined, name: string): TfjsTopology {
  const version = stringField(topology, 'keras_version') ?? stringField(topology, 'kerasVersion');
  const isTfjs = version === null ? stringField(topology, 'backend') === 'tensor_flow.js' : /^tfjs/.test(version);
  const inside = field(topology, 'model_config') ?? field(topology, 'modelConfig') ?? topology;
  const plain = inKerasWords(inside ?? null);
  if (!isObject(plain) || stringField(plain, 'class_name') === null) {
    throw new TempogradError('reader/corrupt', `${name} holds weights, but its modelTopology describes no model`);
  }
  const writer: KerasWriter = isTfjs
    ? { generation: 2, version: version?.replace(/^tfjs-layers /, '') ?? null, isTfjs: true }
    : (writerOf(version) ?? writerFromConfig(plain));
  return { config: isTfjs ? withoutNulls(plain) : plain, writer };
}

/**
 * Names of all layers of a description, those of nested models included.
 *
 * @param value - A description, or any part of it.
 */
export function layerNamesIn(value: JsonValue | undefined): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (listed: JsonValue | undefined): void => {
    for (const entry of isArray(listed) ? listed : []) {
      const config = field(entry, 'config');
      const name = stringField(entry, 'name') ?? stringField(config, 'name');
      if (name !== null) names.add(name);
      visit(isArray(config) ? config : field(config, 'layers'));
    }
  };
  const config = field(value, 'config');
  visit(isArray(config) ? config : field(config, 'layers'));
  return names;
}

/** Keys in snake case where the description is in camel case; the nesting is bounded by the JSON reader. */
function inKerasWords(value: JsonValue): JsonValue {
  const isCamel =
    isObject(value) && field(value, 'class_name') === undefined && field(value, 'className') !== undefined;
  return isCamel ? mapObjects(value, (key) => key.replace(/[a-z](?=[A-Z])/g, '$&_').toLowerCase()) : value;
}

function withoutNulls(value: JsonObject): JsonObject {
  return mapObjects(value, (key, inner) => (inner === null && OPTIONAL.has(key) ? null : key)) as JsonObject;
}

/** A copy with other keys; a key that becomes null is left out. */
function mapObjects(value: JsonValue, rename: (key: string, inner: JsonValue) => string | null): JsonValue {
  if (isArray(value)) return value.map((item) => mapObjects(item, rename));
  if (!isObject(value)) return value;
  const entries = Object.keys(value).flatMap((key): [string, JsonValue][] => {
    const inner = field(value, key) ?? null;
    const renamed = rename(key, inner);
    return renamed === null ? [] : [[renamed, mapObjects(inner, rename)]];
  });
  return Object.fromEntries(entries);
}
