/** GRU in float64, reset after or before: h_t = z h_{t-1} + (1 - z) n, gate blocks z r n. */
import type { GruCell } from '../model';
import {
  newCellStep,
  unitRows,
  type CellState,
  type CellStep,
  type JacobianPart,
  type ReferenceCell,
  type StepJacobians,
} from './cell';
import { addScaledProduct, addScaledRow, makeGate, preActivate, type MatrixView } from './gate';

/** The part of a GRU that depends on where the reset gate acts; M = dn_pre/dh and dn_pre/dx. */
interface ResetForm {
  /** Computes pre-activations z r n and gate values; needs `evaluate` of z and r before n. */
  preActivateCandidate(x: Float64Array, h: Float64Array, reset: Float64Array, out: CellStep): void;
  /** Adds M for the state to zeros `[H, H]`. */
  addStateJacobian(h: Float64Array, reset: Float64Array, out: Float64Array): void;
  /** Adds M for the input to W_n `[H, D]`. */
  addInputJacobian(h: Float64Array, out: Float64Array): void;
}

/** One bias row as float64: `[2, 3H]` with resetAfter, `[3H]` without. */
function biasRows(description: GruCell): { readonly input: Float64Array; readonly recurrent: Float64Array } {
  const width = 3 * description.units;
  const data = description.bias?.data;
  const input = new Float64Array(width);
  const recurrent = new Float64Array(width);
  if (data) input.set(data.subarray(0, width));
  if (data && description.resetAfter) recurrent.set(data.subarray(width, 2 * width));
  return { input, recurrent };
}

/**
 * The reference cell of a GRU.
 *
 * A = diag(z) + diag(h_{t-1} - n) Z' U_z + diag(1 - z) N' M_h, B = diag(h_{t-1} - n) Z' W_z + diag(1 - z) N' M_x.
 * Reset after, with q = U_n h_{t-1} + b_rn: M_h = diag(q) R' U_r + diag(r) U_n, M_x = W_n + diag(q) R' W_r.
 * Reset before: M_h = U_n (diag(r) + diag(h_{t-1}) R' U_r), M_x = W_n + U_n diag(h_{t-1}) R' W_r.
 *
 * Numerics: float64. Source: method.md 2.4; Cho et al. 1406.1078 (reset before), cuDNN's form (reset after); Keras
 * keeps row 1 of the bias of the n block inside r.(). A clip bounds the whole pre-activation, r.() included, as
 * onnxruntime 1.32 does.
 *
 * @param description - The cell.
 */
export function makeGru(description: GruCell): ReferenceCell {
  const { units, inputDim } = description;
  const { kernel, recurrentKernel } = unitRows(description, 3);
  const bias = biasRows(description);
  const summedBias = bias.input.map((value, at) => value + bias.recurrent[at]);
  const update = makeGate(description.recurrentActivation, units, description.clip);
  const reset = makeGate(description.recurrentActivation, units, description.clip);
  const candidate = makeGate(description.activation, units, description.clip);
  const square = 2 * units * units;
  const candidateKernel = kernel.subarray(2 * units * inputDim);
  const candidateRecurrent = recurrentKernel.subarray(square);
  const recurrentPart = new Float64Array(units);
  const view = (data: Float64Array, stride: number, offset = 0): MatrixView => ({ data, offset, stride });

  const resetRecurrent = view(recurrentKernel, units, units * units);
  const resetKernel = view(kernel, inputDim, units * inputDim);

  /** out += U_n inner. */
  const addCandidateProduct = (out: Float64Array, inner: Float64Array, columns: number): void => {
    for (let u = 0; u < units; u++) {
      for (let v = 0; v < units; v++) {
        addScaledRow(out, u * columns, candidateRecurrent[u * units + v], inner, v * columns, columns);
      }
    }
  };

  /** n_pre = W_n x + b_n + r (U_n h + b_rn). */
  const resetAfter: ResetForm = {
    preActivateCandidate: (x, h, r, out) => {
      preActivate(recurrentPart, bias.recurrent.subarray(2 * units), candidateRecurrent, h, null, h);
      const target = out.preActivations.subarray(2 * units);
      preActivate(target, bias.input.subarray(2 * units), candidateKernel, x, null, h);
      for (let u = 0; u < units; u++) target[u] += r[u] * recurrentPart[u];
    },
    addStateJacobian: (_h, r, out) => {
      for (let u = 0; u < units; u++) addScaledRow(out, u * units, r[u], candidateRecurrent, u * units, units);
      addScaledProduct(view(out, units), recurrentPart, reset, resetRecurrent, units);
    },
    addInputJacobian: (_h, out) => {
      addScaledProduct(view(out, inputDim), recurrentPart, reset, resetKernel, inputDim);
    },
  };

  /** n_pre = W_n x + U_n (r h) + b_n. */
  const resetBefore: ResetForm = {
    preActivateCandidate: (x, h, r, out) => {
      for (let u = 0; u < units; u++) recurrentPart[u] = r[u] * h[u];
      const target = out.preActivations.subarray(2 * units);
      preActivate(target, bias.input.subarray(2 * units), candidateKernel, x, candidateRecurrent, recurrentPart);
    },
    addStateJacobian: (h, r, out) => {
      const inner = new Float64Array(units * units);
      for (let u = 0; u < units; u++) inner[u * units + u] = r[u];
      addScaledProduct(view(inner, units), h, reset, resetRecurrent, units);
      addCandidateProduct(out, inner, units);
    },
    addInputJacobian: (h, out) => {
      const inner = new Float64Array(units * inputDim);
      addScaledProduct(view(inner, inputDim), h, reset, resetKernel, inputDim);
      addCandidateProduct(out, inner, inputDim);
    },
  };
  const form = description.resetAfter ? resetAfter : resetBefore;
  const gatePreActivations = new Float64Array(2 * units);
  const gateBias = summedBias.subarray(0, 2 * units);

  const step = (x: Float64Array, previous: CellState, out: CellStep): void => {
    const { gates, preActivations } = out;
    const { h } = previous;
    preActivate(gatePreActivations, gateBias, kernel, x, recurrentKernel, h);
    preActivations.set(gatePreActivations);
    update.evaluate(preActivations, 0, gates);
    reset.evaluate(preActivations, units, gates);
    form.preActivateCandidate(x, h, gates.subarray(units, 2 * units), out);
    candidate.evaluate(preActivations, 2 * units, gates);
    for (let u = 0; u < units; u++) out.h[u] = gates[u] * h[u] + (1 - gates[u]) * gates[2 * units + u];
  };

  const difference = new Float64Array(units);
  const oneMinusUpdate = new Float64Array(units);
  const candidateState = new Float64Array(units * units);
  const candidateInput = new Float64Array(units * inputDim);

  const linearise = (x: Float64Array, previous: CellState, out: StepJacobians, part: JacobianPart): void => {
    step(x, previous, scratch);
    const { gates, preActivations } = scratch;
    const { h } = previous;
    update.differentiate(preActivations, 0);
    reset.differentiate(preActivations, units);
    candidate.differentiate(preActivations, 2 * units);
    for (let u = 0; u < units; u++) {
      difference[u] = h[u] - gates[2 * units + u];
      oneMinusUpdate[u] = 1 - gates[u];
    }
    if (part !== 'input') {
      candidateState.fill(0);
      form.addStateJacobian(h, gates.subarray(units, 2 * units), candidateState);
      const state = view(out.stateJacobian, units);
      out.stateJacobian.fill(0);
      for (let u = 0; u < units; u++) out.stateJacobian[u * units + u] = gates[u];
      addScaledProduct(state, difference, update, view(recurrentKernel, units), units);
      addScaledProduct(state, oneMinusUpdate, candidate, view(candidateState, units), units);
    }
    if (part !== 'state') {
      candidateInput.set(candidateKernel);
      form.addInputJacobian(h, candidateInput);
      const input = view(out.inputJacobian, inputDim);
      out.inputJacobian.fill(0);
      addScaledProduct(input, difference, update, view(kernel, inputDim), inputDim);
      addScaledProduct(input, oneMinusUpdate, candidate, view(candidateInput, inputDim), inputDim);
    }
  };

  const cell: ReferenceCell = {
    kind: 'GRU',
    units,
    hiddenSize: units,
    inputDim,
    stateSize: units,
    hasCell: false,
    gateCount: 3,
    hasDiagonalCellColumns: false,
    step,
    linearise,
  };
  const scratch = newCellStep(cell);
  return cell;
}
