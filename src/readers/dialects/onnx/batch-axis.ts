/**
 * Which axis of a graph's input is the batch: the recurrent nodes above it say so, followed back to the input.
 */
import { ONNX_CELLS } from './cells';
import { sequencesOf } from './decomposed/read-body';
import type { OnnxNode } from './model';
import type { Scope } from './scope';

const MAX_STEPS = 100_000;

/** Operators that keep the axes of their first input that is no constant. */
const KEEPING: ReadonlySet<string> = new Set(
  (
    'Identity Cast Dropout Relu Tanh Sigmoid LeakyRelu Elu Selu Celu Gelu Softplus Softsign HardSigmoid HardSwish Mish ' +
    'Clip Add Sub Mul Div MatMul Gemm LayerNormalization BatchNormalization Softmax LogSoftmax Conv Concat Pad Slice ' +
    'MaxPool AveragePool QuantizeLinear DequantizeLinear'
  ).split(' '),
);

/**
 * The batch axis of each input that a recurrent node stands on, by its name.
 *
 * @param scope - The graph.
 * @param constant - The integers of a constant, null for what is none.
 */
export async function findBatchAxes(
  scope: Scope,
  constant: (name: string) => Promise<readonly number[] | null>,
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (const node of scope.graph.nodes) {
    for (const { name, axis } of sequencesOf(node, scope)) await follow(name, axis === 0 ? 1 : 0, 3);
    if (node.domain !== '' || !Object.hasOwn(ONNX_CELLS, node.operator)) continue;
    const isBatchFirst = (node.attributes.get('layout')?.integer ?? 0) !== 0;
    await follow(node.inputs[0] ?? '', isBatchFirst ? 0 : 1, 3);
  }
  return found;

  async function follow(start: string, startAxis: number, startRank: number): Promise<void> {
    let [name, axis, rank] = [start, startAxis, startRank];
    for (let step = 0; step < MAX_STEPS; step++) {
      const source = scope.find(name);
      if (source?.kind === 'input' && !found.has(name)) found.set(name, axis);
      if (source?.kind !== 'node') return;
      const { node } = source;
      const before = await stepBack(node, axis, rank);
      if (!before) return;
      [axis, rank] = before;
      name = dataInput(node);
    }
  }

  async function stepBack(node: OnnxNode, axis: number, rank: number): Promise<readonly [number, number] | null> {
    if (KEEPING.has(node.operator)) return [axis, rank];
    if (node.operator === 'Gather') return [axis, rank - 1];
    if (node.operator === 'Transpose') {
      const perm = node.attributes.get('perm')?.integers ?? [];
      return [perm.length > 0 ? (perm[axis] ?? 0) : rank - 1 - axis, rank];
    }
    if (node.operator !== 'Unsqueeze' && node.operator !== 'Squeeze') return null;
    const said = node.inputs[1] ? await constant(node.inputs[1]) : (node.attributes.get('axes')?.integers ?? null);
    if (!said) return null;
    if (node.operator === 'Unsqueeze') {
      const places = said.map((place) => (place < 0 ? place + rank : place));
      return places.includes(axis) ? null : [axis - places.filter((place) => place < axis).length, rank - said.length];
    }
    const inner = rank + said.length;
    const gone = new Set(said.map((place) => (place < 0 ? place + inner : place)));
    const kept = Array.from({ length: inner }, (_, place) => place).filter((place) => !gone.has(place));
    return [kept[axis] ?? 0, inner];
  }

  /** The input that carries the data: of Gather the indices, else the first that is not stored in the file. */
  function dataInput(node: OnnxNode): string {
    if (node.operator === 'Gather') return node.inputs[1] ?? '';
    return node.inputs.find((name) => name !== '' && scope.find(name)?.kind !== 'initializer') ?? '';
  }
}
