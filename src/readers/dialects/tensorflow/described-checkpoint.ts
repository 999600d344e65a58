/**
 * A checkpoint of objects read with Keras's description of the model from a file beside it.
 *
 * The checkpoint numbers the layers of a model (`layer-0`, `layer-1`; Keras 3: `_operations/0`) in the order in which the
 * description lists them.
 */
import { field, isArray, type JsonObject, type JsonValue } from '../../json';
import type { StoredTensor } from '../../stored-tensor';
import { isModelEntry, readEntry } from '../keras/layer-config';
import type { ModelVariables } from '../keras/variables';
import { walk, type CheckpointNode } from './object-graph';
import { keras3Layers, objectVariables } from './object-variables';

/** A model is the checkpoint's root, or held by it. */
const MAX_HOLDERS = 1000;

/**
 * The variables of the model that a checkpoint holds, by the names that its description gives the layers; null when the
 * checkpoint holds no model of Keras.
 *
 * @param nodes - Objects of the checkpoint.
 * @param tensors - Tensors by key.
 * @param config - The description.
 */
export function describedVariables(
  nodes: readonly CheckpointNode[],
  tensors: ReadonlyMap<string, StoredTensor>,
  config: JsonObject,
): ModelVariables | null {
  const holders = [0, ...(nodes[0]?.children.values() ?? [])].slice(0, MAX_HOLDERS);
  const model = holders.find((node) => layerAt(nodes, node, 0) !== null || layerAt(nodes, node, 1) !== null);
  if (model === undefined) return null;
  const names = new Map<number, string>();
  nameLayers(nodes, model, field(config, 'config'), names);
  return objectVariables({ nodes, tensors, names, isBelieved: false }, model);
}

function layerAt(nodes: readonly CheckpointNode[], model: number, position: number): number | null {
  const holder = keras3Layers(nodes, model);
  return holder === null ? walk(nodes, model, [`layer-${String(position)}`]) : walk(nodes, holder, [String(position)]);
}

/** The nesting of descriptions is bounded by the JSON reader. */
function nameLayers(
  nodes: readonly CheckpointNode[],
  model: number,
  config: JsonValue | undefined,
  names: Map<number, string>,
): void {
  const all = isArray(config) ? config : field(config, 'layers');
  const listed = isArray(all) ? all : [];
  // A Sequential model of Keras 2 describes its input first and does not count it among its layers.
  const isCounted = keras3Layers(nodes, model) !== null || field(config, 'input_layers') !== undefined;
  const first = listed[0] === undefined ? null : readEntry(listed[0], 0);
  const skipped = !isCounted && first?.className === 'InputLayer' ? 1 : 0;
  for (const [position, item] of listed.slice(skipped).entries()) {
    const entry = readEntry(item, position);
    const node = layerAt(nodes, model, position);
    if (node === null) continue;
    names.set(node, entry.name);
    if (isModelEntry(entry)) nameLayers(nodes, node, field(item, 'config'), names);
  }
}
