/** D4: step Jacobians and whole propagations against central differences in float64. */
import { largestMagnitude } from '../linalg/scaling';
import { newCellStep, type CellState, type ReferenceCell } from '../reference/cell';
import { propagateFinal } from '../reference/propagate-final';
import { runCell, stateBefore, timeIndex, type Trajectory } from '../reference/run-cell';
import { stepJacobians } from '../reference/reference-cell';

/** Step of the fourth-order differences: truncation h^4 and rounding u/h are both near 1e-12 here. */
const DIFFERENCE_STEP = 1e-3;

/** The largest deviation of an audit. */
export interface AuditResult {
  /** Largest |formula - difference|, over the largest entry of the Jacobian concerned (at least 1). */
  readonly relativeError: number;
  /** Time index where it occurs. */
  readonly step: number;
}

/**
 * ds_t/ds_{t-1} `[S, S]` and ds_t/dx_t `[S, D]` of one step by fourth-order central differences.
 *
 * (f(v - 2e) - 8 f(v - e) + 8 f(v + e) - f(v + 2e)) / 12e with e = 1e-3. Numerics: error about 1e-11 where the fifth
 * derivative is of order 1, and of order 1 across a kink. Source: D4 of method.md; Abramowitz and Stegun 25.3.24.
 *
 * @param cell - The cell.
 * @param x - x_t, `[D]`.
 * @param previous - The state before the step.
 */
export function differenceJacobians(
  cell: ReferenceCell,
  x: Float64Array,
  previous: CellState,
): { readonly stateJacobian: Float64Array; readonly inputJacobian: Float64Array } {
  const { hiddenSize, stateSize, inputDim } = cell;
  const point = new Float64Array(stateSize + inputDim);
  point.set(previous.h);
  if (previous.c !== null) point.set(previous.c, hiddenSize);
  point.set(x, stateSize);
  const out = newCellStep(cell);
  const evaluate = (at: Float64Array): Float64Array => {
    const c = cell.hasCell ? at.slice(hiddenSize, stateSize) : null;
    cell.step(at.slice(stateSize), { h: at.slice(0, hiddenSize), c }, out);
    const state = new Float64Array(stateSize);
    state.set(out.h);
    if (out.c !== null) state.set(out.c, hiddenSize);
    return state;
  };
  const stateJacobian = new Float64Array(stateSize * stateSize);
  const inputJacobian = new Float64Array(stateSize * inputDim);
  for (let column = 0; column < point.length; column++) {
    const derivative = differentiate(evaluate, point, column);
    const isState = column < stateSize;
    for (let row = 0; row < stateSize; row++) {
      if (isState) stateJacobian[row * stateSize + column] = derivative[row];
      else inputJacobian[row * inputDim + column - stateSize] = derivative[row];
    }
  }
  return { stateJacobian, inputJacobian };
}

/** The derivative of a vector function along one coordinate. */
function differentiate(
  evaluate: (at: Float64Array) => Float64Array,
  point: Float64Array,
  column: number,
): Float64Array {
  const shifted = Float64Array.from(point);
  const at = (multiple: number): Float64Array => {
    shifted[column] = point[column] + multiple * DIFFERENCE_STEP;
    return evaluate(shifted);
  };
  const [minus2, minus1, plus1, plus2] = [at(-2), at(-1), at(1), at(2)];
  return minus2.map((value, row) => (value - 8 * minus1[row] + 8 * plus1[row] - plus2[row]) / (12 * DIFFERENCE_STEP));
}

/**
 * The largest deviation of every A_t and B_t of a trajectory from central differences.
 *
 * Source: D4 of method.md; below 1e-6 in float64 away from kinks.
 *
 * @param cell - The cell.
 * @param trajectory - Its states; masked steps are skipped.
 */
export function auditStepJacobians(cell: ReferenceCell, trajectory: Trajectory): AuditResult {
  const { direction, steps, x, mask } = trajectory;
  let worst: AuditResult = { relativeError: 0, step: 0 };
  for (let n = 0; n < steps; n++) {
    const t = timeIndex(direction, steps, n);
    if (mask !== null && mask[t] === 0) continue;
    const input = x.slice(t * cell.inputDim, (t + 1) * cell.inputDim);
    const previous = stateBefore(trajectory, cell, n);
    const formula = stepJacobians(cell, input, previous);
    const difference = differenceJacobians(cell, input, previous);
    for (const key of ['stateJacobian', 'inputJacobian'] as const) {
      const relativeError = relativeDeviation(formula[key], difference[key]);
      if (!(relativeError <= worst.relativeError)) worst = { relativeError, step: t };
    }
  }
  return worst;
}

/**
 * The largest deviation of dh_T/dx_s v from (h_T(x + e v) - h_T(x - e v))/2e (fourth order), over source steps whose
 * norm is above 1e-6 of the largest one; v has entries of size 1 and alternating sign.
 *
 * Source: D4 of method.md.
 *
 * @param cell - The cell.
 * @param trajectory - Computed by `runCell`.
 */
export function auditFinal(cell: ReferenceCell, trajectory: Trajectory): AuditResult {
  const { hiddenSize, inputDim } = cell;
  const { direction, steps, x, mask, initial } = trajectory;
  const last = timeIndex(direction, steps, steps - 1) * hiddenSize;
  const finalState = (input: Float64Array): Float64Array =>
    runCell(cell, input, { direction, mask, initial }).h.slice(last, last + hiddenSize);
  const blocks = [...propagateFinal(cell, trajectory)].map((one) => one.h.logNorm);
  const floor = Math.max(...blocks) + Math.log(1e-6);
  let worst: AuditResult = { relativeError: 0, step: 0 };
  for (const { step, h } of propagateFinal(cell, trajectory)) {
    if (!(h.logNorm > floor)) continue;
    const tangent = (multiple: number): Float64Array => {
      const moved = Float64Array.from(x);
      for (let d = 0; d < inputDim; d++)
        moved[step * inputDim + d] += (d % 2 === 0 ? 1 : -1) * multiple * DIFFERENCE_STEP;
      return finalState(moved);
    };
    const [minus2, minus1, plus1, plus2] = [tangent(-2), tangent(-1), tangent(1), tangent(2)];
    const difference = minus2.map(
      (value, row) => (value - 8 * minus1[row] + 8 * plus1[row] - plus2[row]) / (12 * DIFFERENCE_STEP),
    );
    const formula = new Float64Array(hiddenSize);
    for (let u = 0; u < hiddenSize; u++) {
      for (let d = 0; d < inputDim; d++) formula[u] += (d % 2 === 0 ? 1 : -1) * h.jacobian[u * inputDim + d];
      formula[u] *= 2 ** h.scale;
    }
    const relativeError = relativeDeviation(formula, difference);
    if (!(relativeError <= worst.relativeError)) worst = { relativeError, step };
  }
  return worst;
}

/** max |a - b| / max(1, max |a|). */
function relativeDeviation(formula: Float64Array, difference: Float64Array): number {
  let deviation = 0;
  for (let at = 0; at < formula.length; at++) {
    const one = Math.abs(formula[at] - difference[at]);
    if (!(one <= deviation)) deviation = one;
  }
  return deviation / Math.max(1, largestMagnitude(formula));
}
