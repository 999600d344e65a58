/** LSTM in float64: c_t = f c_{t-1} + i g, h_t = o psi(c_t), gate blocks i f g o. */
import type { LstmCell } from '../model';
import {
  newCellStep,
  unitRows,
  type CellState,
  type JacobianPart,
  type ReferenceCell,
  type StepJacobians,
} from './cell';
import { addScaledProduct, makeGate, preActivate, type MatrixView } from './gate';

/**
 * The reference cell of an LSTM.
 *
 * With I', F', G', O', Psi' the derivatives of the gates and of the output activation at c_t:
 * C = diag(g) I' K_i + diag(c_{t-1}) F' K_f + diag(i) G' K_g and H = diag(psi(c_t)) O' K_o + diag(o) Psi' C, with
 * K = U for the state and W for the input; dc_t/dc_{t-1} = diag(f), dh_t/dc_{t-1} = diag(o) Psi' diag(f).
 *
 * Numerics: float64. Source: method.md 2.3 without peepholes; Hochreiter and Schmidhuber 1997 with the forget gate of
 * Gers et al. 2000; block order and names as in Keras.
 *
 * @param description - The cell.
 */
export function makeLstm(description: LstmCell): ReferenceCell {
  const { units, inputDim } = description;
  const { kernel, recurrentKernel } = unitRows(description, 4);
  const bias = Float64Array.from(description.bias?.data ?? new Float64Array(4 * units));
  const { activation, recurrentActivation } = description;
  const gates = [recurrentActivation, recurrentActivation, activation, recurrentActivation].map((one) =>
    makeGate(one, units),
  );
  const [inputGate, forgetGate, candidate, outputGate] = gates;
  const output = makeGate(activation, units);
  const isElementwise = output.isElementwise && outputGate.isElementwise;
  const squashed = new Float64Array(units);

  const step: ReferenceCell['step'] = (x, previous, out) => {
    const { c: cBefore } = previous;
    const { c, gates: values } = out;
    if (cBefore === null || c === null) throw new Error('an LSTM has a cell state');
    preActivate(out.preActivations, bias, kernel, x, recurrentKernel, previous.h);
    for (let k = 0; k < 4; k++) gates[k].evaluate(out.preActivations, k * units, values);
    for (let u = 0; u < units; u++) {
      c[u] = values[units + u] * cBefore[u] + values[u] * values[2 * units + u];
    }
    output.evaluate(c, 0, squashed);
    for (let u = 0; u < units; u++) out.h[u] = values[3 * units + u] * squashed[u];
  };

  /** Writes the h and c rows of one Jacobian, first columns, from `matrix` `[4H, columns]`. */
  const writeRows = (target: MatrixView, matrix: Float64Array, columns: number, cBefore: Float64Array): void => {
    if (isElementwise) {
      writeElementwiseRows(target, matrix, columns, cBefore);
      return;
    }
    const values = scratch.gates;
    const block = (k: number): MatrixView => ({ data: matrix, offset: k * units * columns, stride: columns });
    const cellRows = { ...target, offset: target.offset + units * target.stride };
    target.data.fill(0);
    addScaledProduct(cellRows, values.subarray(2 * units, 3 * units), inputGate, block(0), columns);
    addScaledProduct(cellRows, cBefore, forgetGate, block(1), columns);
    addScaledProduct(cellRows, values.subarray(0, units), candidate, block(2), columns);
    addScaledProduct(target, squashed, outputGate, block(3), columns);
    addScaledProduct(target, values.subarray(3 * units), output, cellRows, columns);
  };

  /** The same in one pass where every derivative is diagonal. */
  const writeElementwiseRows = (
    { data, stride }: MatrixView,
    matrix: Float64Array,
    columns: number,
    cBefore: Float64Array,
  ): void => {
    const values = scratch.gates;
    const block = units * columns;
    for (let u = 0; u < units; u++) {
      const fromInput = values[2 * units + u] * inputGate.derivative[u];
      const fromForget = cBefore[u] * forgetGate.derivative[u];
      const fromCandidate = values[u] * candidate.derivative[u];
      const fromOutput = squashed[u] * outputGate.derivative[u];
      const throughCell = values[3 * units + u] * output.derivative[u];
      const hRow = u * stride;
      const cRow = hRow + units * stride;
      for (let j = 0, at = u * columns; j < columns; j++, at++) {
        const cell = fromInput * matrix[at] + fromForget * matrix[at + block] + fromCandidate * matrix[at + 2 * block];
        data[cRow + j] = cell;
        data[hRow + j] = fromOutput * matrix[at + 3 * block] + throughCell * cell;
      }
    }
  };

  /** Writes dh_t/dc_{t-1} = diag(o) Psi' diag(f) and dc_t/dc_{t-1} = diag(f). */
  const writeCellColumns = (stateJacobian: Float64Array): void => {
    const stride = 2 * units;
    const values = scratch.gates;
    for (let u = 0; u < units; u++) {
      stateJacobian[(units + u) * stride + units + u] = values[units + u];
      const row = u * stride + units;
      if (output.isElementwise) {
        stateJacobian[row + u] = values[3 * units + u] * output.derivative[u] * values[units + u];
        continue;
      }
      for (let v = 0; v < units; v++) {
        stateJacobian[row + v] = values[3 * units + u] * output.derivative[u * units + v] * values[units + v];
      }
    }
  };

  const linearise = (x: Float64Array, previous: CellState, out: StepJacobians, part: JacobianPart): void => {
    step(x, previous, scratch);
    const { c: cBefore } = previous;
    if (cBefore === null || scratch.c === null) throw new Error('an LSTM has a cell state');
    for (let k = 0; k < 4; k++) gates[k].differentiate(scratch.preActivations, k * units);
    output.differentiate(scratch.c, 0);
    if (part !== 'input') {
      out.stateJacobian.fill(0);
      writeRows({ data: out.stateJacobian, offset: 0, stride: 2 * units }, recurrentKernel, units, cBefore);
      writeCellColumns(out.stateJacobian);
    }
    if (part !== 'state') {
      writeRows({ data: out.inputJacobian, offset: 0, stride: inputDim }, kernel, inputDim, cBefore);
    }
  };

  const cell: ReferenceCell = {
    kind: 'LSTM',
    units,
    inputDim,
    stateSize: 2 * units,
    hasCell: true,
    gateCount: 4,
    hasDiagonalCellColumns: output.isElementwise,
    step,
    linearise,
  };
  const scratch = newCellStep(cell);
  return cell;
}
