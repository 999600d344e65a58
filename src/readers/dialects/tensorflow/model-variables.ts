/**
 * Which variables of a checkpoint are a model's, and which an optimizer's.
 *
 * TensorFlow stores a variable once, under the path on which it met the object first: for a model that was trained this
 * can be the optimizer's list of it (`optimizer/_trainable_variables/0`). The graph of objects has every path.
 *
 * Source: tensorflow/python/checkpoint/graph_view.py and keras/src/optimizers/base_optimizer.py.
 */
import type { CountedLimits } from '../../limits';
import { OBJECT_BYTES } from '../../object-count';
import type { CheckpointNode } from './object-graph';

/** Names under which models and checkpoints hold an optimizer. */
const OPTIMIZER_NAME = /^_?(inner_)?optimizer$/;

/** What only an optimizer holds: Keras 3 and 2.11 on, then Keras 2 before. */
const OPTIMIZER_PARTS = ['_trainable_variables_indices', '_momentums', '_velocities', '_iterations', 'iter'];

/**
 * The paths of the variables that are reached without passing an optimizer, by key; of several the shortest, and of
 * these the first. Empty without objects.
 *
 * @param nodes - The object graph; its first object is the root.
 * @param limits - Caps: objects in objects have paths that are long together.
 * @throws TempogradError `reader/limit-exceeded`.
 */
export function modelPaths(nodes: readonly CheckpointNode[], { objects }: CountedLimits): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  const reached = new Map<number, string>([[0, '']]);
  for (const [number, path] of reached) {
    const node = nodes[number];
    if (!node) continue;
    if (node.key !== null && !paths.has(node.key)) {
      objects.add(OBJECT_BYTES.pair + OBJECT_BYTES.text + path.length);
      paths.set(node.key, path);
    }
    for (const [name, child] of node.children) {
      if (reached.has(child) || OPTIMIZER_NAME.test(name) || isOptimizer(nodes[child])) continue;
      reached.set(child, path === '' ? name : `${path}/${name}`);
    }
  }
  return paths;
}

function isOptimizer(node: CheckpointNode | undefined): boolean {
  return node !== undefined && OPTIMIZER_PARTS.some((part) => node.children.has(part));
}
