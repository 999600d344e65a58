/**
 * The graph of objects that TensorFlow 2 stores beside variables: which object holds which, under which name, and the
 * key of each variable in the checkpoint.
 *
 * Source: tensorflow/core/protobuf/trackable_object_graph.proto and saved_object_graph.proto.
 */
import type { ByteSource } from '../../byte-source';
import { readFields, readText, toInteger } from '../../containers/protobuf';
import { checkLimit, type CountedLimits } from '../../limits';
import { OBJECT_BYTES } from '../../object-count';

/** An object by what it holds. */
export interface GraphNode {
  /** Numbers of other objects by the names under which this one holds them. */
  readonly children: ReadonlyMap<string, number>;
}

/** An object of a checkpoint. */
export interface CheckpointNode extends GraphNode {
  /** Key of the variable that the object is, null for any other object. */
  readonly key: string | null;
  /** The variable's own name: `memory/lstm_cell/kernel`. */
  readonly fullName: string;
}

/** An object of a SavedModel. */
export interface SavedNode extends GraphNode {
  /** `_tf_keras_rnn_layer`, `_generic_user_object` .. */
  readonly identifier: string;
  /** Keras's description as JSON, empty where it is in another file. */
  readonly metadata: string;
}

/** An object without its parts, and what is kept to follow the graph. */
const NODE_BYTES = 2 * OBJECT_BYTES.dictionary + OBJECT_BYTES.record;

/** The value of a variable among the attributes of an object. */
const VARIABLE_VALUE = 'VARIABLE_VALUE';

/**
 * The objects of a checkpoint (`_CHECKPOINTABLE_OBJECT_GRAPH`); the first is the root.
 *
 * @param source - A `TrackableObjectGraph`.
 * @param limits - Caps.
 * @throws TempogradError `reader/corrupt`, `reader/truncated`, `reader/limit-exceeded`.
 */
export function readCheckpointGraph(source: ByteSource, limits: CountedLimits): readonly CheckpointNode[] {
  const what = 'the object graph of the checkpoint';
  return readNodes(source, what, limits, (node) => {
    const children = new Map<string, number>();
    let key: string | null = null;
    let fullName = '';
    for (const field of readFields(node, what)) {
      if (field.type !== 'bytes') continue;
      if (field.number === 1) addChild(field.source, children, what, limits);
      if (field.number !== 2) continue;
      limits.objects.add(OBJECT_BYTES.record + field.source.size);
      const attribute = readAttribute(field.source, what);
      if (attribute.name !== VARIABLE_VALUE) continue;
      ({ key, fullName } = attribute);
    }
    return { children, key, fullName };
  });
}

/**
 * The objects of a SavedModel; the first is the root.
 *
 * @param source - A `SavedObjectGraph`.
 * @param limits - Caps.
 * @throws TempogradError `reader/corrupt`, `reader/truncated`, `reader/limit-exceeded`.
 */
export function readSavedGraph(source: ByteSource, limits: CountedLimits): readonly SavedNode[] {
  const what = 'the object graph of the SavedModel';
  return readNodes(source, what, limits, (node) => {
    const children = new Map<string, number>();
    let identifier = '';
    let metadata = '';
    for (const field of readFields(node, what)) {
      if (field.type !== 'bytes') continue;
      if (field.number === 1) addChild(field.source, children, what, limits);
      if (field.number !== 4) continue;
      for (const inner of readFields(field.source, what)) {
        if (inner.type !== 'bytes') continue;
        limits.objects.addText(inner.source.size);
        if (inner.number === 1) identifier = readText(inner.source, what);
        if (inner.number === 3) metadata = readText(inner.source, what, limits.maxJsonBytes);
      }
    }
    return { children, identifier, metadata };
  });
}

function readNodes<N>(
  source: ByteSource,
  what: string,
  limits: CountedLimits,
  read: (node: ByteSource) => N,
): readonly N[] {
  const nodes: N[] = [];
  for (const field of readFields(source, what)) {
    if (field.number !== 1 || field.type !== 'bytes') continue;
    limits.objects.add(NODE_BYTES);
    nodes.push(read(field.source));
    checkLimit(`Objects in ${what}`, nodes.length, 'maxIndexEntries', limits);
  }
  return nodes;
}

/** `ObjectReference`: the first of a name counts. */
function addChild(source: ByteSource, children: Map<string, number>, what: string, limits: CountedLimits): void {
  limits.objects.add(OBJECT_BYTES.pair + OBJECT_BYTES.text + source.size);
  let node = 0;
  let name = '';
  for (const field of readFields(source, what)) {
    if (field.number === 1 && field.type === 'varint') node = toInteger(field.value, what);
    if (field.number === 2 && field.type === 'bytes') name = readText(field.source, what);
  }
  if (!children.has(name)) children.set(name, node);
}

/** `SerializedTensor` */
function readAttribute(
  source: ByteSource,
  what: string,
): { readonly name: string; readonly fullName: string; readonly key: string } {
  const texts = ['', '', ''];
  for (const field of readFields(source, what)) {
    if (field.type === 'bytes' && field.number <= texts.length) texts[field.number - 1] = readText(field.source, what);
  }
  const [name = '', fullName = '', key = ''] = texts;
  return { name, fullName, key };
}

/**
 * The object at the end of a path of names, null when a name on the way is unknown.
 *
 * @param nodes - All objects.
 * @param start - Number of the object where the path begins.
 * @param path - Names.
 */
export function walk(nodes: readonly GraphNode[], start: number, path: readonly string[]): number | null {
  let current = start;
  for (const name of path) {
    const next = nodes[current]?.children.get(name);
    if (next === undefined || !nodes[next]) return null;
    current = next;
  }
  return current;
}

/**
 * For each object of one graph the object of another that is reached by the same names from the root.
 *
 * @param from - The one graph.
 * @param to - The other.
 */
export function pairNodes(from: readonly GraphNode[], to: readonly GraphNode[]): ReadonlyMap<number, number> {
  const pairs = new Map<number, number>([[0, 0]]);
  const waiting = [0];
  for (let next = 0; next < waiting.length; next++) {
    const own = waiting[next]!;
    const other = to[pairs.get(own)!];
    for (const [name, child] of from[own]?.children ?? []) {
      const partner = other?.children.get(name);
      if (partner === undefined || !from[child] || pairs.has(child)) continue;
      pairs.set(child, partner);
      waiting.push(child);
    }
  }
  return pairs;
}
