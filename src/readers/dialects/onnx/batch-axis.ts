/**
 * Which axis of a graph's input is the batch: the recurrent nodes above it say so, followed back to the input.
 */
import { isRecurrentNode, type Branches } from './branches';
import type { Constants } from './constants';
import { sequencesOf } from './decomposed/read-body';
import type { OnnxNode } from './model';
import type { Scope } from './scope';

const MAX_STEPS = 100_000;

/** Operators that keep the axes of their first input that is no constant. */
const KEEPING: ReadonlySet<string> = new Set(
  (
    'Identity Cast Dropout Relu Tanh Sigmoid LeakyRelu Elu Selu Celu Gelu Softplus Softsign HardSigmoid HardSwish Mish ' +
    'Clip Add Sub Mul Div MatMul Gemm LayerNormalization BatchNormalization Softmax LogSoftmax Conv Concat Pad Slice ' +
    'MaxPool AveragePool Split Tile Expand ReverseSequence QuantizeLinear DequantizeLinear'
  ).split(' '),
);

/**
 * The batch axis of each input that a recurrent node stands on, by its name.
 *
 * @param scope - The graph.
 * @param constants - The file's constants.
 * @param branches - The branches in it.
 * @throws TempogradError what reading a constant throws.
 */
export async function findBatchAxes(
  scope: Scope,
  constants: Constants,
  branches: Branches,
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (const place of branches.within(scope)) {
    for (const node of place.graph.nodes) {
      for (const { name, axis } of sequencesOf(node, place)) await follow(name, place, axis === 0 ? 1 : 0);
      if (!isRecurrentNode(node)) continue;
      const isBatchFirst = (node.attributes.get('layout')?.integer ?? 0) !== 0;
      await follow(node.inputs[0] ?? '', place, isBatchFirst ? 0 : 1);
    }
  }
  return found;

  async function follow(start: string, startScope: Scope, startAxis: number): Promise<void> {
    let [name, place, axis, rank] = [start, startScope, startAxis, 3];
    for (let step = 0; step < MAX_STEPS; step++) {
      const source = place.find(name);
      if (source?.kind === 'input' && !found.has(name)) found.set(name, axis);
      if (source?.kind !== 'node') return;
      const { node } = source;
      place = source.scope;
      const branch = await branches.chosen(node, place);
      if (branch) {
        place = branch.scope;
        name = place.graph.outputs[source.output] ?? '';
        continue;
      }
      const before = await stepBack(node, axis, rank, place);
      if (!before) return;
      [axis, rank] = before;
      name = await dataInput(node, place);
    }
  }

  async function stepBack(
    node: OnnxNode,
    axis: number,
    rank: number,
    place: Scope,
  ): Promise<readonly [number, number] | null> {
    if (KEEPING.has(node.operator)) return [axis, rank];
    if (node.operator === 'Gather') return [axis, rank - 1];
    if (node.operator === 'Transpose') {
      const perm = node.attributes.get('perm')?.integers ?? [];
      return [perm.length > 0 ? (perm[axis] ?? 0) : rank - 1 - axis, rank];
    }
    if (node.operator !== 'Unsqueeze' && node.operator !== 'Squeeze') return null;
    const said = node.inputs[1]
      ? await integers(node.inputs[1], place)
      : (node.attributes.get('axes')?.integers ?? null);
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

  async function integers(name: string, place: Scope): Promise<readonly number[] | null> {
    const tensor = await constants.find(name, place);
    return tensor && Array.from((await tensor.read()).data);
  }

  /** The input that carries the data: of Gather the indices, else the first that is not stored in the file. */
  async function dataInput(node: OnnxNode, place: Scope): Promise<string> {
    if (node.operator === 'Gather') return node.inputs[1] ?? '';
    for (const name of node.inputs) if (name !== '' && !(await constants.find(name, place))) return name;
    return '';
  }
}
