/** LSTM in float64: c_t = f c_{t-1} + i g, h_t = o psi(c_t), gate blocks i f g o; peepholes, projection, clip. */
import { hiddenSize as hiddenSizeOf, type LstmCell } from '../model';
import {
  newCellStep,
  unitRows,
  type CellState,
  type JacobianPart,
  type ReferenceCell,
  type StepJacobians,
} from './cell';
import { makeGate, preActivate } from './gate';
import { makeLstmDerivative, type LstmGates } from './lstm-derivative';

/**
 * The reference cell of an LSTM.
 *
 * i = sigma(a_i + p_i c_{t-1}), f = sigma(a_f + p_f c_{t-1}) or 1 - i, g = phi(a_g), c_t = f c_{t-1} + i g,
 * o = sigma(a_o + p_o c_t), h_t = o psi(c_t), times the projection where there is one. A clip bounds the four sums
 * before their activation, bias and peephole included; c_t itself is not clipped on its way to psi: so onnxruntime 1.32
 * computes it, and the derivative is 0 where a sum is at or beyond the bound.
 *
 * Numerics: float64. Source: method.md 2.3; Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000;
 * block order and names as in Keras; options of the ONNX operator LSTM (opset 22) and of PyTorch's `proj_size`.
 *
 * @param description - The cell.
 */
export function makeLstm(description: LstmCell): ReferenceCell {
  const { units, inputDim, clip, peepholes, projection, inputForget } = description;
  const hiddenSize = hiddenSizeOf(description);
  const { kernel, recurrentKernel } = unitRows(description, 4);
  const bias = Float64Array.from(description.bias?.data ?? new Float64Array(4 * units));
  const { activation, recurrentActivation, outputActivation } = description;
  const gates: LstmGates = {
    input: makeGate(recurrentActivation, units, clip),
    forget: makeGate(recurrentActivation, units, clip),
    candidate: makeGate(activation, units, clip),
    output: makeGate(recurrentActivation, units, clip),
    psi: makeGate(outputActivation, units, null),
  };
  const derivative = makeLstmDerivative(gates, { units, hiddenSize, peepholes, projection, inputForget });
  const squashed = new Float64Array(units);

  /** a[block] += p[peephole] c. */
  const addPeephole = (preActivations: Float64Array, block: number, peephole: number, c: Float64Array): void => {
    if (peepholes === null) return;
    for (let u = 0; u < units; u++) preActivations[block * units + u] += peepholes.data[peephole * units + u] * c[u];
  };

  /** h = P^T (o psi). */
  const writeHidden = (h: Float64Array, values: Float64Array): void => {
    if (projection === null) {
      for (let u = 0; u < units; u++) h[u] = values[3 * units + u] * squashed[u];
      return;
    }
    h.fill(0);
    for (let u = 0; u < units; u++) {
      const memory = values[3 * units + u] * squashed[u];
      for (let p = 0; p < hiddenSize; p++) h[p] += memory * projection.data[u * hiddenSize + p];
    }
  };

  const step: ReferenceCell['step'] = (x, previous, out) => {
    const { c: cBefore } = previous;
    const { c, gates: values, preActivations } = out;
    if (cBefore === null || c === null) throw new Error('an LSTM has a cell state');
    preActivate(preActivations, bias, kernel, x, recurrentKernel, previous.h);
    addPeephole(preActivations, 0, 0, cBefore);
    addPeephole(preActivations, 1, 1, cBefore);
    gates.input.evaluate(preActivations, 0, values);
    if (inputForget) for (let u = 0; u < units; u++) values[units + u] = 1 - values[u];
    else gates.forget.evaluate(preActivations, units, values);
    gates.candidate.evaluate(preActivations, 2 * units, values);
    for (let u = 0; u < units; u++) {
      c[u] = values[units + u] * cBefore[u] + values[u] * values[2 * units + u];
    }
    addPeephole(preActivations, 3, 2, c);
    gates.output.evaluate(preActivations, 3 * units, values);
    gates.psi.evaluate(c, 0, squashed);
    writeHidden(out.h, values);
  };

  const linearise = (x: Float64Array, previous: CellState, out: StepJacobians, part: JacobianPart): void => {
    step(x, previous, scratch);
    const { c: cBefore } = previous;
    const { c, preActivations } = scratch;
    if (cBefore === null || c === null) throw new Error('an LSTM has a cell state');
    gates.input.differentiate(preActivations, 0);
    gates.forget.differentiate(preActivations, units);
    gates.candidate.differentiate(preActivations, 2 * units);
    gates.output.differentiate(preActivations, 3 * units);
    gates.psi.differentiate(c, 0);
    const point = { gates: scratch.gates, cBefore, squashed };
    if (part !== 'input') {
      const stride = hiddenSize + units;
      out.stateJacobian.fill(0);
      derivative.writeRows({ data: out.stateJacobian, offset: 0, stride }, recurrentKernel, hiddenSize, point);
      derivative.writeCellColumns(out.stateJacobian, point);
    }
    if (part !== 'state') {
      derivative.writeRows({ data: out.inputJacobian, offset: 0, stride: inputDim }, kernel, inputDim, point);
    }
  };

  const cell: ReferenceCell = {
    kind: 'LSTM',
    units,
    hiddenSize,
    inputDim,
    stateSize: hiddenSize + units,
    hasCell: true,
    gateCount: 4,
    hasDiagonalCellColumns: derivative.hasDiagonalCellColumns,
    step,
    linearise,
  };
  const scratch = newCellStep(cell);
  return cell;
}
