/**
 * Variables found through an object graph: a model holds its layers, a layer its cell, the cell its kernel.
 */
import type { StoredTensor } from '../../stored-tensor';
import type { LayerVariables, ModelVariables } from '../keras/variables';
import { walk, type CheckpointNode } from './object-graph';

/** A checkpoint as objects. */
export interface ObjectCheckpoint {
  readonly nodes: readonly CheckpointNode[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Names of Keras's layers by the number of their object. */
  readonly names: ReadonlyMap<number, string>;
  /** The description may be that of another save: where it differs in size, the variables are believed. */
  readonly isBelieved: boolean;
}

/** Where a model of Keras 3 holds its layers. */
const KERAS3_LAYERS = '_operations';

/**
 * Number of the object in which a model of Keras 3 holds its layers, null for a model of Keras 2.
 *
 * @param nodes - All objects.
 * @param model - Number of the model's object.
 */
export function keras3Layers(nodes: readonly CheckpointNode[], model: number): number | null {
  // A Sequential model holds a functional one.
  return walk(nodes, model, [KERAS3_LAYERS]) ?? walk(nodes, model, ['_functional', KERAS3_LAYERS]);
}

/**
 * The variables of the model that an object is.
 *
 * @param checkpoint - The checkpoint.
 * @param model - Number of the model's object.
 */
export function objectVariables(checkpoint: ObjectCheckpoint, model: number): ModelVariables {
  const layers = new Map<string, number>();
  const holder = keras3Layers(checkpoint.nodes, model) ?? model;
  for (const child of checkpoint.nodes[holder]?.children.values() ?? []) {
    const name = checkpoint.names.get(child);
    if (name !== undefined && !layers.has(name)) layers.set(name, child);
  }
  return {
    layer: ({ name }) => Promise.resolve(layerVariables(checkpoint, layers.get(name) ?? null, name)),
    inner: ({ name }) => Promise.resolve(objectVariables(checkpoint, layers.get(name) ?? -1)),
  };
}

/**
 * The variables of the layer that an object is.
 *
 * @param checkpoint - The checkpoint.
 * @param node - Number of the layer's object, null when there is none.
 * @param path - Where it is, for display.
 */
export function layerVariables(checkpoint: ObjectCheckpoint, node: number | null, path: string): LayerVariables {
  const cells = new Map<string, Map<string, number>>();
  const find = (part: string, name: string): StoredTensor | null => {
    const holder = node === null ? null : walk(checkpoint.nodes, node, objectPath(part, cells));
    if (holder === null) return null;
    // Keras 3 keeps some variables behind properties: `_kernel`.
    const own = walk(checkpoint.nodes, holder, [name]) ?? walk(checkpoint.nodes, holder, [`_${name}`]);
    return variableOf(checkpoint, own);
  };
  return {
    path,
    take: (part, names) => {
      const found = names.map((name) => find(part, name));
      const missing = found.indexOf(null);
      return Promise.resolve((missing < 0 ? found : found.slice(0, missing)).filter((variable) => variable !== null));
    },
    all: () => Promise.resolve(node === null ? [] : allVariables(checkpoint, node)),
    storedShape: (part, name) => (checkpoint.isBelieved ? (find(part, name)?.shape ?? null) : null),
  };
}

/** Stacked cells are called by class and number elsewhere, and by their number alone here. */
function objectPath(part: string, cells: Map<string, Map<string, number>>): readonly string[] {
  const names = part === '' ? [] : part.split('/');
  const at = names.indexOf('cells');
  const cell = at < 0 ? undefined : names[at + 1];
  if (cell === undefined) return names;
  const stack = names.slice(0, at).join('/');
  const known = cells.get(stack) ?? new Map<string, number>();
  cells.set(stack, known);
  if (!known.has(cell)) known.set(cell, known.size);
  return names.map((name, index) => (index === at + 1 ? String(known.get(cell)) : name));
}

function variableOf({ nodes, tensors }: ObjectCheckpoint, node: number | null): StoredTensor | null {
  const found = node === null ? undefined : nodes[node];
  const tensor = found?.key ? tensors.get(found.key) : undefined;
  return tensor && found ? { ...tensor, name: found.fullName === '' ? tensor.name : found.fullName } : null;
}

/** All variables below an object; each object is entered once. */
function allVariables(checkpoint: ObjectCheckpoint, start: number): readonly StoredTensor[] {
  const found: StoredTensor[] = [];
  const seen = new Set([start]);
  for (const node of seen) {
    const variable = variableOf(checkpoint, node);
    if (variable) found.push(variable);
    for (const child of checkpoint.nodes[node]?.children.values() ?? []) {
      if (checkpoint.nodes[child]) seen.add(child);
    }
  }
  return found;
}
