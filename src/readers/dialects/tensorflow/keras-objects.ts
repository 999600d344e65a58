/**
 * What Keras 2 wrote of its layers into a SavedModel: for each object of Keras its class, name and configuration.
 *
 * From TensorFlow 2.5 on this is a file of its own, `keras_metadata.pb`; before, it stands in the object graph.
 * Source: tf_keras/protobuf/saved_metadata.proto.
 */
import type { ByteSource } from '../../byte-source';
import { readFields, readText, toInteger } from '../../containers/protobuf';
import { field, isArray, isObject, parseJson, stringField, type JsonObject, type JsonValue } from '../../json';
import { checkLimit, type CountedLimits } from '../../limits';
import type { SavedNode } from './object-graph';

/** An object of Keras: a model, a layer or a cell. */
export interface KerasObject {
  /** Its number in the object graph of the SavedModel. */
  readonly node: number;
  /** Where it is: `root.layer_with_weights-0`. */
  readonly path: string;
  readonly identifier: string;
  /** `{ class_name, name, config }`, as Keras wrote it. */
  readonly description: JsonObject;
  readonly name: string;
  readonly className: string;
}

/**
 * The objects of a `keras_metadata.pb`.
 *
 * @param source - A `SavedMetadata`.
 * @param limits - Caps.
 * @throws TempogradError `reader/corrupt`, `reader/truncated`, `reader/limit-exceeded`.
 */
export function readKerasMetadata(source: ByteSource, limits: CountedLimits): readonly KerasObject[] {
  const what = 'keras_metadata.pb';
  const found: KerasObject[] = [];
  for (const field of readFields(source, what)) {
    if (field.number !== 1 || field.type !== 'bytes') continue;
    // A number that is 0 is not written.
    let node = 0;
    let path = '';
    let identifier = '';
    let metadata = '';
    for (const inner of readFields(field.source, what)) {
      if (inner.number === 2 && inner.type === 'varint') node = toInteger(inner.value, `${what}: a number`);
      if (inner.type !== 'bytes') continue;
      if (inner.number === 3) path = readText(inner.source, what);
      if (inner.number === 4) identifier = readText(inner.source, what);
      if (inner.number === 5) metadata = readText(inner.source, what, limits.maxJsonBytes);
    }
    addObject(found, { node, path, identifier, metadata }, limits);
  }
  return found;
}

/**
 * The objects of Keras in an object graph that describes them itself.
 *
 * @param nodes - The graph.
 * @param limits - Caps.
 * @throws TempogradError `reader/corrupt`, `reader/limit-exceeded`.
 */
export function kerasObjectsOf(nodes: readonly SavedNode[], limits: CountedLimits): readonly KerasObject[] {
  const found: KerasObject[] = [];
  for (const [node, { identifier, metadata }] of nodes.entries()) {
    addObject(found, { node, path: `object ${String(node)}`, identifier, metadata }, limits);
  }
  return found;
}

/** An object as it is written. */
interface WrittenObject {
  readonly node: number;
  readonly path: string;
  readonly identifier: string;
  readonly metadata: string;
}

function addObject(found: KerasObject[], written: WrittenObject, limits: CountedLimits): void {
  const { node, path, identifier, metadata } = written;
  if (metadata === '' || !identifier.startsWith('_tf_keras_')) return;
  const description = withPlainLists(parseJson(metadata, `the metadata of object ${String(node)}`, limits));
  if (!isObject(description)) return;
  found.push({
    node,
    path,
    identifier,
    description,
    name: stringField(description, 'name') ?? '',
    className: (stringField(description, 'class_name') ?? '').replace(/^(Keras|keras)>/, ''),
  });
  checkLimit('Number of Keras objects', found.length, 'maxLayers', limits);
}

/** Tuples and shapes, which are written as `{ class_name: '__tuple__', items }`, as lists. */
function withPlainLists(value: JsonValue): JsonValue {
  if (isArray(value)) return value.map(withPlainLists);
  if (!isObject(value)) return value;
  const items = field(value, 'items');
  const isList = stringField(value, 'class_name') === '__tuple__' || stringField(value, 'class_name') === 'TensorShape';
  if (isList && isArray(items)) return items.map(withPlainLists);
  return Object.fromEntries(Object.keys(value).map((key) => [key, withPlainLists(field(value, key) ?? null)]));
}
