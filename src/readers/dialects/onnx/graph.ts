/**
 * The graph of an ONNX model as layers; graphs inside If, Loop and Scan are searched for recurrent nodes as well.
 */
import { TempogradError } from '../../../core/errors';
import type { GraphBuilder } from '../../graph-builder';
import type { FormatOptions, Reading } from '../../reading';
import { ONNX_CELLS, ONNX_GATES } from './cells';
import { Constants } from './constants';
import type { OnnxGraph, OnnxNode } from './model';
import { readRecurrentNode, type StoredState } from './recurrent';
import { Scope } from './scope';

/** What all graphs of one file share. */
interface Walk {
  readonly builder: GraphBuilder;
  readonly constants: Constants;
  readonly reading: Reading;
}

/**
 * Adds the layers of a model's graph, and gives the indices of its input layers.
 *
 * @param graph - The graph.
 * @param builder - Where the layers go.
 * @param options - Caps, and how files beside the model are opened.
 * @param reading - The reading.
 * @throws TempogradError `reader/unsafe`, `reader/limit-exceeded`, `reader/corrupt` of the graph itself.
 */
export async function addOnnxGraph(
  graph: OnnxGraph,
  builder: GraphBuilder,
  options: FormatOptions,
  reading: Reading,
): Promise<readonly number[]> {
  await addGraph(new Scope(graph, null), '', { builder, constants: new Constants(options), reading });
  return [];
}

async function addGraph(scope: Scope, path: string, walk: Walk): Promise<void> {
  const counts = new Map<string, number>();
  for (const node of scope.graph.nodes) {
    const count = counts.get(node.operator) ?? 0;
    counts.set(node.operator, count + 1);
    const name = `${path}${node.name === '' ? `${node.operator}_${String(count)}` : node.name}`;
    if (node.domain === '' && Object.hasOwn(ONNX_CELLS, node.operator)) await addRecurrent(node, scope, name, walk);
    for (const [key, { graph }] of node.attributes) {
      if (graph) await addGraph(new Scope(graph, scope), `${name}/${key}/`, walk);
    }
  }
}

async function addRecurrent(node: OnnxNode, scope: Scope, name: string, walk: Walk): Promise<void> {
  const { builder, constants, reading } = walk;
  try {
    const { operation, weights, states } = await readRecurrentNode(node, scope, name, constants, reading);
    const initialState = states.map((state) => ({ layer: addConstant(state, name, builder), output: 0 }));
    const kind = (operation.forward ?? operation.backward)?.kind ?? 'SimpleRNN';
    builder.add({
      name,
      className: node.operator,
      operation: { ...operation, initialState },
      inputs: [],
      weights,
      path: name,
      sourceGateOrder: ONNX_GATES[kind],
    });
  } catch (error) {
    if (!(error instanceof TempogradError) || error.code === 'reader/unsafe') throw error;
    reading.failures.push(error);
    builder.add({
      name,
      className: node.operator,
      operation: { kind: 'unsupported', reason: `${error.message}.` },
      inputs: [],
      weights: [],
      path: name,
      sourceGateOrder: [],
    });
  }
}

function addConstant({ name, value }: StoredState, layer: string, builder: GraphBuilder): number {
  return builder.add({
    name: `${layer}/${name}`,
    className: 'Constant',
    operation: { kind: 'constant', value },
    inputs: [],
    weights: [],
    path: name,
    sourceGateOrder: [],
  });
}
