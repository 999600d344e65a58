/**
 * The tensors of a checkpoint under the names that their variables had, without what only training needs.
 */
import type { StoredTensor } from '../../stored-tensor';
import type { CheckpointNode } from './object-graph';

/** Where TensorFlow 2 keeps the value of a variable below the path of its object. */
const VALUE_SUFFIX = '/.ATTRIBUTES/VARIABLE_VALUE';

/** Counters and moments by name, TensorFlow 1 and 2. */
const TRAINING_ONLY =
  /(^|\/)\.OPTIMIZER_SLOT\/|^(_?optimizer|keras_api|save_counter|global_step|_CHECKPOINTABLE_OBJECT_GRAPH)(\/|$)|(^|\/)beta[12]_power(_\d+)?$|\/(Adam|RMSProp|Momentum|Adagrad|Adadelta|Ftrl|ExponentialMovingAverage)(_\d+)?$|^train(ing|_op)?\/(Adam|RMSprop|SGD)\//;

/** Keras 3's `export()` keeps each variable twice: once in order, once in a list of its own. */
const TWICE = /^_all_variables\//;

/**
 * True for the words of Keras 3.
 *
 * @param tensors - All tensors by key.
 */
export function isKeras3(tensors: ReadonlyMap<string, StoredTensor>): boolean {
  return [...tensors.keys()].some((key) => TWICE.test(key) || /(^|\/)_operations\/\d/.test(key));
}

/**
 * The tensors that can be weights, named as their variables were.
 *
 * @param tensors - All tensors by key.
 * @param nodes - The object graph, empty without one.
 */
export function weightsOf(
  tensors: ReadonlyMap<string, StoredTensor>,
  nodes: readonly CheckpointNode[],
): readonly StoredTensor[] {
  const fullNames = uniqueNames(nodes);
  const isDouble = [...tensors.keys()].some((key) => key.startsWith('variables/'));
  return [...tensors]
    .filter(([key, { dtype }]) => !TRAINING_ONLY.test(key) && !(isDouble && TWICE.test(key)) && /float/.test(dtype))
    .map(([key, tensor]) => ({
      ...tensor,
      name: fullNames.get(key) ?? (key.endsWith(VALUE_SUFFIX) ? key.slice(0, -VALUE_SUFFIX.length) : key),
    }));
}

/** Full names of variables by key, when they tell all of them apart. */
function uniqueNames(nodes: readonly CheckpointNode[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const seen = new Map<string, string>();
  for (const { key, fullName } of nodes) {
    if (key === null || TRAINING_ONLY.test(key) || TWICE.test(key)) continue;
    const other = seen.get(fullName);
    if (fullName === '' || (other !== undefined && other !== key)) return new Map();
    seen.set(fullName, key);
    names.set(key, fullName);
  }
  return names;
}
