/**
 * LSTM in engine memory, blocks i f c o.
 *
 * Plain sigmoid and tanh run forward in one fused kernel where the engine has it, peepholes included; everything else
 * step by step.
 */
import type { LstmCell } from '../../core/model';
import { activate } from '../ops/activations';
import type { Ops, Value } from '../ops';
import { cellSizes } from './cell-sizes';
import { runSteps, type OneStep } from './forward-steps';
import { gateValue } from './gate-derivative';
import { denseLstm } from './lstm-dense';
import { factoredLstm } from './lstm-factored';
import { lstmGates, uploadLstm, type LstmWeights } from './lstm-weights';
import type { BareCell, ForwardSteps, ValueState } from './tensor-cell';

/**
 * The cell with its weights uploaded.
 *
 * Numerics: derivatives at the pre-activations, which are computed anew from the states. Source: method.md 2.3.
 *
 * @param ops - Operations.
 * @param description - The cell.
 */
export function openLstm(ops: Ops, description: LstmCell): BareCell {
  const weights = uploadLstm(ops, description);
  const sizes = cellSizes(description);
  const form = (sizes.isFactored ? factoredLstm : denseLstm)(ops, description, weights);
  const isFused = isPlain(description) && ops.native !== null;

  const fused = (x: Value, { h: h0, c: c0 }: ValueState): ForwardSteps => {
    const made = ops.native?.fusedLstm(x, h0, c0 as Value, weights.joined(), weights.bias, weights.peepholes);
    if (!made) throw new Error('the fused forward pass needs the native engine');
    const { h, c, i, f, g, o } = made;
    return { h, c, gates: { i, f, g, o } };
  };

  return {
    kind: 'LSTM',
    isFused,
    ...sizes,
    ...form,
    forward: (x, state) =>
      isFused
        ? fused(x, state)
        : runSteps(ops, weights.inputPart(x), state, (fromInput, before) =>
            oneStep(ops, description, weights, fromInput, before),
          ),
    dispose() {
      weights.dispose();
      form.dispose();
    },
  };
}

/** Whether the fused kernel computes this cell. */
function isPlain({ activation, recurrentActivation, outputActivation, ...cell }: LstmCell): boolean {
  const isUsual = activation.name === 'tanh' && recurrentActivation.name === 'sigmoid';
  const hasOptions = cell.clip !== null || cell.projection !== null || cell.inputForget;
  return isUsual && outputActivation.name === 'tanh' && !hasOptions;
}

/** One step from W x + b and the state before it. */
function oneStep(ops: Ops, cell: LstmCell, weights: LstmWeights, fromInput: Value, before: ValueState): OneStep {
  const { recurrentActivation, outputActivation, clip } = cell;
  const cBefore = before.c as Value;
  const sums = ops.split(ops.add(fromInput, ops.matMul(before.h, weights.recurrentKernel)), 4, 1);
  if (weights.peepholes) {
    sums[0] = ops.add(sums[0], ops.mul(cBefore, weights.peepholes[0]));
    sums[1] = ops.add(sums[1], ops.mul(cBefore, weights.peepholes[1]));
  }
  const gates = lstmGates(ops, cell, sums);
  const c = ops.add(ops.mul(gates.f, cBefore), ops.mul(gates.i, gates.g));
  const o = weights.peepholes
    ? gateValue(ops, recurrentActivation, clip, ops.add(sums[3], ops.mul(c, weights.peepholes[2])))
    : gates.o;
  const memory = ops.mul(o, activate(ops, outputActivation, c));
  const h = weights.projection ? ops.matMul(memory, weights.projection) : memory;
  return { h, c, gates: { ...gates, o } };
}
