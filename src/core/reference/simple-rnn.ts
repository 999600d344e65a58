/** SimpleRNN in float64: h_t = phi(W x_t + U h_{t-1} + b). */
import type { SimpleRnnCell } from '../model';
import { newCellStep, unitRows, type ReferenceCell } from './cell';
import { addScaledProduct, makeGate, preActivate } from './gate';

/**
 * The reference cell of a SimpleRNN: A = Phi' U, B = Phi' W, with Phi' = diag(phi'(a)) or the full Jacobian.
 *
 * Numerics: float64. Source: method.md 2.2, differentiating h_t = phi(W x + U h + b).
 *
 * @param description - The cell.
 */
export function makeSimpleRnn(description: SimpleRnnCell): ReferenceCell {
  const { units, inputDim } = description;
  const { kernel, recurrentKernel } = unitRows(description, 1);
  const bias = Float64Array.from(description.bias?.data ?? new Float64Array(units));
  const gate = makeGate(description.activation, units, description.clip);

  const cell: ReferenceCell = {
    kind: 'SimpleRNN',
    units,
    hiddenSize: units,
    inputDim,
    stateSize: units,
    hasCell: false,
    gateCount: 1,
    hasDiagonalCellColumns: false,
    step: (x, previous, out) => {
      preActivate(out.preActivations, bias, kernel, x, recurrentKernel, previous.h);
      gate.evaluate(out.preActivations, 0, out.gates);
      out.h.set(out.gates);
    },
    linearise: (x, previous, out, part) => {
      preActivate(scratch.preActivations, bias, kernel, x, recurrentKernel, previous.h);
      gate.differentiate(scratch.preActivations, 0);
      if (part !== 'input') {
        const state = { data: out.stateJacobian, offset: 0, stride: units };
        out.stateJacobian.fill(0);
        addScaledProduct(state, null, gate, { data: recurrentKernel, offset: 0, stride: units }, units);
      }
      if (part !== 'state') {
        const input = { data: out.inputJacobian, offset: 0, stride: inputDim };
        out.inputJacobian.fill(0);
        addScaledProduct(input, null, gate, { data: kernel, offset: 0, stride: inputDim }, inputDim);
      }
    },
  };
  const scratch = newCellStep(cell);
  return cell;
}
