/** Lyapunov exponents in float64 at the engine's own states: QR after every step, products in the native float64. */
import { orthonormalSteps } from '../../core/linalg/orthonormal-rows';
import { transpose } from '../../core/linalg/products';
import { newStepJacobians, type ReferenceCell } from '../../core/reference/cell';
import { stateBefore, type Trajectory } from '../../core/reference/run-cell';
import { SpectrumSum } from '../../core/spectrum-sum';
import type { Ops } from '../../engine/ops';
import { readDoubles } from '../../engine/propagate/read-doubles';

/** Contraction of a tangent beside the others in one step below which it is mostly rounding. */
const UNRESOLVED_BELOW = Math.log(1e-12);

/**
 * The leading exponents, nats per step, descending.
 *
 * @param ops - The native engine's operations.
 * @param cell - The cell.
 * @param trajectory - The engine's states.
 * @param count - How many.
 * Source: D12 of the method: lambda_i = (1/T) sum ln R_ii,t with Q_t R_t = A_t Q_{t-1}.
 */
export function referenceExponents(ops: Ops, cell: ReferenceCell, trajectory: Trajectory, count: number): Float64Array {
  const doubles = ops.native!.doubles().ops;
  const { stateSize: size, inputDim } = cell;
  const jacobians = newStepJacobians(cell);
  const triangle = new Float64Array(count * count);
  const logs = new Float64Array(count);
  const sum = new SpectrumSum(count, trajectory.steps, 0);
  let tangents: Float64Array = new Float64Array(size * count);
  for (let at = 0; at < count; at++) tangents[at * count + at] = 1;
  for (let step = 0; step < trajectory.steps; step++) {
    const x = trajectory.x.subarray(step * inputDim, (step + 1) * inputDim);
    cell.linearise(x, stateBefore(trajectory, cell, step), jacobians, 'state');
    const pushed = doubles.tidy(() => {
      const operator = doubles.upload(jacobians.stateJacobian, [size, size]);
      return readDoubles(ops, doubles.matMul(operator, doubles.upload(tangents, [size, count])));
    });
    const rows = transpose(pushed, size, count);
    const walk = orthonormalSteps(rows, count, size, triangle);
    while (!walk.next().done);
    tangents = transpose(rows, count, size);
    for (let i = 0; i < count; i++) logs[i] = Math.log(triangle[i * count + i]);
    sum.add(logs, 1, UNRESOLVED_BELOW);
    sum.endStep(step);
  }
  return sum.result(count, null).exponents;
}
