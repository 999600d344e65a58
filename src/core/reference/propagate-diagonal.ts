/** dh_t/dx_t and dc_t/dx_t of one sequence, step by step. */
import { newStepJacobians, type ReferenceCell } from './cell';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from './run-cell';

/** One timestep; the arrays are reused for the next one. */
export interface DiagonalStep {
  /** Time index t. */
  readonly step: number;
  /** dh_t/dx_t, `[P, D]`. */
  readonly dhdx: Float64Array;
  /** dc_t/dx_t, `[H, D]`, null for SimpleRNN and GRU. */
  readonly dcdx: Float64Array | null;
}

/**
 * dh_t/dx_t and dc_t/dx_t at every timestep, t ascending: the rows of B_t = ds_t/dx_t. Masked steps are exactly zero.
 *
 * Numerics: float64. Source: method.md 2.2 to 2.4.
 *
 * @param cell - The cell.
 * @param trajectory - Its states, or those of another engine.
 */
export function* propagateDiagonal(cell: ReferenceCell, trajectory: Trajectory): Generator<DiagonalStep, void, void> {
  const { hiddenSize, inputDim } = cell;
  const { direction, steps, x } = trajectory;
  const block = hiddenSize * inputDim;
  const jacobians = newStepJacobians(cell);
  const { inputJacobian } = jacobians;
  const dhdx = inputJacobian.subarray(0, block);
  const dcdx = cell.hasCell ? inputJacobian.subarray(block) : null;
  for (let t = 0; t < steps; t++) {
    const n = timeIndex(direction, steps, t);
    if (isValidStep(trajectory, t)) {
      const previous = stateBefore(trajectory, cell, n);
      cell.linearise(x.subarray(t * inputDim, (t + 1) * inputDim), previous, jacobians, 'input');
    } else {
      inputJacobian.fill(0);
    }
    yield { step: t, dhdx, dcdx };
  }
}
