/**
 * A model without anything recurrent, told by its nodes.
 */
import type { WeightInfo } from '../../../core/model';
import type { GraphBuilder } from '../../graph-builder';
import type { Constants } from './constants';
import type { Scope } from './scope';

const MAX_LISTED = 1000;

/**
 * Adds a layer that is only listed for each node, with its stored weights.
 *
 * @param scope - The model's graph.
 * @param constants - The file's constants.
 * @param builder - Where the layers go.
 * @throws TempogradError what tensors throw.
 */
export async function listNodes(scope: Scope, constants: Constants, builder: GraphBuilder): Promise<void> {
  const counts = new Map<string, number>();
  for (const node of scope.graph.nodes.filter(({ operator }) => operator !== 'Constant').slice(0, MAX_LISTED)) {
    const count = counts.get(node.operator) ?? 0;
    counts.set(node.operator, count + 1);
    const name = node.name === '' ? `${node.operator}_${String(count)}` : node.name;
    const weights: WeightInfo[] = [];
    for (const input of node.inputs) {
      const tensor = scope.find(input)?.kind === 'initializer' ? await constants.find(input, scope) : null;
      if (!tensor) continue;
      weights.push({ role: 'other', name: input, shape: [...tensor.shape], dtype: tensor.dtype, direction: null });
    }
    const operation = { kind: 'unsupported', reason: `Layer ${name}: no recurrent layer stands on it.` } as const;
    builder.add({ name, className: node.operator, operation, inputs: [], weights, path: name, sourceGateOrder: [] });
  }
}
