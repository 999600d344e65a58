/**
 * The tensors of a checkpoint under the names that their variables had, without what only training needs.
 */
import type { CountedLimits } from '../../limits';
import type { StoredTensor } from '../../stored-tensor';
import { isOptimizerSlot } from '../optimizer-names';
import { modelPaths } from './model-variables';
import type { CheckpointNode } from './object-graph';

/** Where TensorFlow 2 keeps the value of a variable below the path of its object. */
const VALUE_SUFFIX = '/.ATTRIBUTES/VARIABLE_VALUE';

/** Counters, and what only training needs, by its key. */
const TRAINING_ONLY =
  /(^|\/)\.OPTIMIZER_SLOT\/|^(_?optimizer|keras_api|save_counter|global_step|_CHECKPOINTABLE_OBJECT_GRAPH)(\/|$)/;

/** Keras 3's `export()` keeps each variable twice: once in order, once in a list of its own. */
const TWICE = /^_all_variables\//;

/** Names of parts that only the objects of Keras 3 hold. */
const KERAS3_PARTS = ['_all_variables', '_operations', '_compiled_trainable_state', '_trainable_variables_indices'];

/**
 * True for the words of Keras 3.
 *
 * @param nodes - The object graph, empty without one.
 */
export function isKeras3(nodes: readonly CheckpointNode[]): boolean {
  return nodes.some(({ children }) => KERAS3_PARTS.some((part) => children.has(part)));
}

/**
 * The tensors that can be weights, named as their variables were; where those names do not tell them apart, by their
 * paths from the root.
 *
 * @param tensors - All tensors by key.
 * @param nodes - The object graph, empty without one.
 * @param limits - Caps on what the paths are together.
 * @throws TempogradError `reader/limit-exceeded`.
 */
export function weightsOf(
  tensors: ReadonlyMap<string, StoredTensor>,
  nodes: readonly CheckpointNode[],
  limits: CountedLimits,
): readonly StoredTensor[] {
  const paths = modelPaths(nodes, limits);
  const isDouble = [...tensors.keys()].some((key) => key.startsWith('variables/'));
  const weights = [...tensors].filter(([key, { dtype }]) => {
    if (!/float/.test(dtype) || (isDouble && TWICE.test(key))) return false;
    // Objects tell what is an optimizer's; a checkpoint without them has nothing but names.
    const name = paths.size > 0 ? paths.get(key) : key;
    return name !== undefined && !TRAINING_ONLY.test(name) && !isOptimizerSlot(name);
  });
  const fullNames = uniqueNames(nodes, new Set(weights.map(([key]) => key)));
  return weights.map(([key, tensor]) => ({
    ...tensor,
    name:
      fullNames.get(key) ?? paths.get(key) ?? (key.endsWith(VALUE_SUFFIX) ? key.slice(0, -VALUE_SUFFIX.length) : key),
  }));
}

/** Full names of variables by key, when they tell all of them apart. */
function uniqueNames(nodes: readonly CheckpointNode[], weights: ReadonlySet<string>): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const seen = new Map<string, string>();
  for (const { key, fullName } of nodes) {
    if (key === null || !weights.has(key)) continue;
    const other = seen.get(fullName);
    if (fullName === '' || (other !== undefined && other !== key)) return new Map();
    seen.set(fullName, key);
    names.set(key, fullName);
  }
  return names;
}
