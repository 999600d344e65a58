/**
 * A Keras model in a SavedModel: its description from Keras's metadata, its variables through the object graph.
 *
 * A model that lists its layers is read as any Keras model. Of a class of the user's own the layers are known one by
 * one, with their settings, but not what connects them: each stands alone.
 */
import type { RecurrentModel } from '../../../core/model';
import { field, isObject, type JsonObject } from '../../json';
import { finishModel } from '../../reading';
import { GraphBuilder } from '../../graph-builder';
import { readKerasModel } from '../keras';
import type { KerasContext } from '../keras/context';
import { isModelEntry, readEntry, type LayerEntry } from '../keras/layer-config';
import { readLayer } from '../keras/layer-template';
import { placeRecurrent } from '../keras/place-recurrent';
import { isRecurrentClass } from '../keras/recurrent';
import { sayNoArchitecture } from '../keras/weights-only';
import type { KerasObject } from './keras-objects';
import { pairNodes, type CheckpointNode, type SavedNode } from './object-graph';
import { layerVariables, objectVariables, type ObjectCheckpoint } from './object-variables';
import type { StoredTensor } from '../../stored-tensor';

/** Names under which a wrapper or a recurrent layer holds what is a part of it. */
const PARTS = new Set(['cell', 'cells', 'forward_layer', 'backward_layer', 'layer']);

/** What a SavedModel holds of a Keras model. */
export interface SavedKeras {
  readonly objects: readonly KerasObject[];
  readonly saved: readonly SavedNode[];
  readonly nodes: readonly CheckpointNode[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/**
 * The Keras model of a SavedModel.
 *
 * @param source - Its parts; at least one object of Keras.
 * @param producer - Who wrote it.
 * @param context - The reading.
 * @throws TempogradError as `readKerasModel`.
 */
export async function readSavedKeras(
  source: SavedKeras,
  producer: string,
  context: KerasContext,
): Promise<RecurrentModel> {
  const pairs = pairNodes(source.saved, source.nodes);
  const names = new Map<number, string>();
  for (const { node, name } of source.objects) {
    const own = pairs.get(node);
    if (own !== undefined) names.set(own, name);
  }
  const checkpoint: ObjectCheckpoint = { nodes: source.nodes, tensors: source.tensors, names, isBelieved: true };
  const root = source.objects.find(({ node }) => node === 0);
  const model = root ? describe(root) : null;
  if (model && isModelEntry(readEntry(model, 0))) {
    return readKerasModel('saved-model', producer, model, objectVariables(checkpoint, 0), context);
  }
  sayNoArchitecture(root?.className ?? 'unknown', context);
  const builder = new GraphBuilder(context.limits);
  for (const object of layersOf(source)) {
    const own = pairs.get(object.node) ?? null;
    await addLayer(builder, readEntry(describe(object), 0), checkpoint, own, object.path, context);
  }
  return finishModel('saved-model', producer, builder.layers, [], context);
}

function describe({ className, name, description }: KerasObject): JsonObject {
  const config = field(description, 'config');
  return { class_name: className, name, config: isObject(config) ? config : {} };
}

/** The layers of a model of the user's own, wrappers and recurrent layers without their parts. */
function layersOf({ objects, saved }: SavedKeras): readonly KerasObject[] {
  const parts = new Set<number>();
  const mark = (node: number): void => {
    for (const [name, child] of saved[node]?.children ?? []) {
      if (!(PARTS.has(name) || /^\d+$/.test(name)) || parts.has(child)) continue;
      parts.add(child);
      mark(child);
    }
  };
  for (const { node, className, description } of objects) {
    const config = field(description, 'config');
    if (isRecurrentClass(className, isObject(config) ? config : {})) mark(node);
  }
  return objects.filter(({ node, identifier }) => node !== 0 && !parts.has(node) && /layer$/.test(identifier));
}

async function addLayer(
  builder: GraphBuilder,
  entry: LayerEntry,
  checkpoint: ObjectCheckpoint,
  node: number | null,
  path: string,
  context: KerasContext,
): Promise<void> {
  const variables = layerVariables(checkpoint, node, path);
  const layer = await readLayer(entry, { name: entry.name, inputCount: 1 }, variables, context);
  const placement = { name: entry.name, className: entry.className, path, weights: layer.weights };
  if (layer.kind === 'recurrent') placeRecurrent(builder, layer.template, [], placement);
  else if (layer.weights.length > 0 || layer.operation.kind === 'unsupported') {
    builder.add({
      ...placement,
      operation: { kind: 'unsupported', reason: reasonOf(layer.operation) },
      inputs: [],
      sourceGateOrder: [],
    });
  }
}

function reasonOf(operation: { readonly kind: string; readonly reason?: string }): string {
  return operation.kind === 'unsupported' && operation.reason !== undefined
    ? operation.reason
    : "What it is connected with is known to the model's own code only.";
}
