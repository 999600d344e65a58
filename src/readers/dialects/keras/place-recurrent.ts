/**
 * Puts a recurrent layer into the graph: one layer, or one per stacked cell (`rnn.cell0`, `rnn.cell1`).
 *
 * Stacked cells of an RNN layer step together, which is the same as running one whole sequence after the other.
 */
import type { CellKind, RecurrentOperation, ValueRef, WeightInfo } from '../../../core/model';
import type { GraphBuilder } from '../../graph-builder';
import type { RecurrentStage, RecurrentTemplate } from './recurrent';

/** What a layer is called and where it came from. */
export interface Placement {
  readonly name: string;
  readonly className: string;
  readonly path: string;
  readonly weights: readonly WeightInfo[];
}

/** Gate blocks in the order of Keras's files. */
const SOURCE_GATES: Readonly<Record<CellKind, readonly string[]>> = {
  SimpleRNN: [],
  LSTM: ['i', 'f', 'c', 'o'],
  GRU: ['z', 'r', 'h'],
};

/**
 * The outputs of a recurrent layer in Keras's order, its stages added to the graph.
 *
 * @param builder - The graph.
 * @param template - The layer as read.
 * @param inputs - Its input, then its initial states in Keras's order.
 * @param placement - Its name and origin.
 */
export function placeRecurrent(
  builder: GraphBuilder,
  template: RecurrentTemplate,
  inputs: readonly ValueRef[],
  placement: Placement,
): readonly ValueRef[] {
  const { stages } = template;
  const initial = splitInitialStates(stages, inputs.slice(1));
  let x = inputs.slice(0, 1);
  let backwardInput: ValueRef | null = null;
  const indices: number[] = [];
  for (const [number, stage] of stages.entries()) {
    const isLast = number === stages.length - 1;
    const index = builder.add({
      name: stages.length === 1 ? placement.name : `${placement.name}.cell${String(number)}`,
      className: placement.className,
      operation: makeOperation(template, stage, isLast, backwardInput, initial[number] ?? []),
      inputs: x,
      weights: weightsOfStage(placement.weights, stages, number),
      path: placement.path,
      sourceGateOrder: SOURCE_GATES[(stage.forward ?? stage.backward)?.kind ?? 'SimpleRNN'],
    });
    indices.push(index);
    x = [{ layer: index, output: 0 }];
    backwardInput = stage.forward && stage.backward ? { layer: index, output: 1 } : null;
  }
  return collectOutputs(template, indices);
}

function makeOperation(
  template: RecurrentTemplate,
  stage: RecurrentStage,
  isLast: boolean,
  backwardInput: ValueRef | null,
  initialState: readonly ValueRef[],
): RecurrentOperation {
  return {
    kind: 'recurrent',
    forward: stage.forward,
    backward: stage.backward,
    mergeMode: isLast ? template.mergeMode : 'none',
    returnSequences: isLast ? template.returnSequences : true,
    returnState: template.returnState,
    stateful: template.stateful,
    outputReversed: isLast && template.outputReversed,
    zeroOutputForMask: isLast && template.zeroOutputForMask,
    timeDistributed: template.timeDistributed,
    backwardInput,
    initialState,
    sequenceLengths: null,
  };
}

function stateCount(cell: RecurrentStage['forward']): number {
  return cell === null ? 0 : cell.kind === 'LSTM' ? 2 : 1;
}

/** Keras lists the states of all cells of the forward direction, then those of the backward one. */
function splitInitialStates(
  stages: readonly RecurrentStage[],
  states: readonly ValueRef[],
): readonly (readonly ValueRef[])[] {
  const split: ValueRef[][] = stages.map(() => []);
  let next = 0;
  for (const side of ['forward', 'backward'] as const) {
    for (const [number, stage] of stages.entries()) {
      const count = stateCount(stage[side]);
      split[number]?.push(...states.slice(next, next + count));
      next += count;
    }
  }
  return split;
}

/** The last stage's output or outputs, then with returnState the states of all cells, forward before backward. */
function collectOutputs(template: RecurrentTemplate, indices: readonly number[]): readonly ValueRef[] {
  const last = indices.at(-1) ?? 0;
  const mainCount = (number: number): number => {
    const stage = template.stages[number];
    const isLast = number === template.stages.length - 1;
    return stage?.forward && stage.backward && (!isLast || template.mergeMode === 'none') ? 2 : 1;
  };
  const outputs: ValueRef[] = [];
  for (let output = 0; output < mainCount(template.stages.length - 1); output++) outputs.push({ layer: last, output });
  if (!template.returnState) return outputs;
  for (const side of ['forward', 'backward'] as const) {
    for (const [number, stage] of template.stages.entries()) {
      const before = mainCount(number) + (side === 'backward' ? stateCount(stage.forward) : 0);
      for (let state = 0; state < stateCount(stage[side]); state++) {
        outputs.push({ layer: indices[number] ?? 0, output: before + state });
      }
    }
  }
  return outputs;
}

/** Tensors were listed cell by cell, the forward direction first. */
function weightsOfStage(
  weights: readonly WeightInfo[],
  stages: readonly RecurrentStage[],
  number: number,
): readonly WeightInfo[] {
  if (stages.length === 1) return weights;
  const own: WeightInfo[] = [];
  let next = 0;
  for (const side of ['forward', 'backward'] as const) {
    for (const [index, stage] of stages.entries()) {
      const cell = stage[side];
      if (cell === null) continue;
      const count = cell.bias === null ? 2 : 3;
      if (index === number) own.push(...weights.slice(next, next + count));
      next += count;
    }
  }
  return own;
}
