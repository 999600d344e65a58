/**
 * Keras 1's description of a model in the words of Keras 2.
 *
 * Source: keras 2.0.0, keras/legacy/interfaces.py and keras/legacy/models.py.
 */
import { field, isArray, isObject, stringField, type JsonObject, type JsonValue } from '../../json';

/** Fields of any layer that have another name since. */
const RENAMED: Readonly<Record<string, string>> = {
  output_dim: 'units',
  inner_activation: 'recurrent_activation',
  bias: 'use_bias',
  p: 'rate',
  nb_filter: 'filters',
  filter_length: 'kernel_size',
  border_mode: 'padding',
  subsample_length: 'strides',
  atrous_rate: 'dilation_rate',
  pool_length: 'pool_size',
  stride: 'strides',
  length: 'size',
};

const CLASSES: Readonly<Record<string, string>> = {
  Convolution1D: 'Conv1D',
  AtrousConvolution1D: 'Conv1D',
};

/** `Merge` by its mode; others are code or need more than one operation. */
const MERGES: Readonly<Record<string, string>> = {
  sum: 'Add',
  mul: 'Multiply',
  ave: 'Average',
  max: 'Maximum',
  concat: 'Concatenate',
};

/**
 * A model's description as Keras 2 would write it.
 *
 * @param model - `{ class_name, config }` as Keras 1 wrote it; its nesting is bounded by the JSON reader.
 */
export function inKeras2Words(model: JsonObject): JsonObject {
  const config = field(model, 'config');
  if (isArray(config)) return { ...model, config: config.map(entryOf) };
  const layers = field(config, 'layers');
  return isObject(config) && isArray(layers) ? { ...model, config: { ...config, layers: layers.map(entryOf) } } : model;
}

/** A layer in a list, or inside a wrapper. */
function entryOf(entry: JsonValue): JsonValue {
  const className = stringField(entry, 'class_name');
  const config = field(entry, 'config');
  if (!isObject(entry) || className === null) return entry;
  if (isArray(config) || isArray(field(config, 'layers'))) return inKeras2Words(entry);
  if (!isObject(config)) return entry;
  if (className === 'TimeDistributedDense') {
    const dense = { class_name: 'Dense', config: renamed(config, className) };
    return { ...entry, class_name: 'TimeDistributed', config: { ...outside(config), layer: dense } };
  }
  const mode = stringField(config, 'mode');
  if (className === 'Merge' && mode !== null && Object.hasOwn(MERGES, mode)) {
    const axis = field(config, 'concat_axis') ?? -1;
    return { ...entry, class_name: MERGES[mode] ?? className, config: { ...config, axis } };
  }
  const known = Object.hasOwn(CLASSES, className) ? (CLASSES[className] ?? className) : className;
  return { ...entry, class_name: known, config: renamed(config, known) };
}

/** What a wrapper keeps of what it wraps. */
function outside(config: JsonObject): JsonObject {
  const kept = ['name', 'batch_input_shape', 'input_dtype', 'trainable'];
  return Object.fromEntries(
    kept.flatMap((key) => (field(config, key) === undefined ? [] : [[key, field(config, key)]])),
  );
}

function renamed(config: JsonObject, className: string): JsonObject {
  const entries = Object.keys(config).map((key): [string, JsonValue] => {
    const value = field(config, key) ?? null;
    if (key === 'layer' || key === 'backward_layer') return [key, entryOf(value)];
    const isOwn = className === 'Embedding' && key === 'output_dim';
    return [isOwn || !Object.hasOwn(RENAMED, key) ? key : (RENAMED[key] ?? key), value];
  });
  return Object.fromEntries(entries);
}
