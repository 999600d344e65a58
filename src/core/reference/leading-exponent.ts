/** The leading Lyapunov exponent of one sequence in float64. */
import { binaryExponent, largestMagnitude, logNorm, scaleByPower } from '../linalg/scaling';
import { newStepJacobians, type ReferenceCell } from './cell';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from './run-cell';

/**
 * lambda = (1/n) sum ln(|A_t v| / |v|), the growth of the first unit vector under the step state Jacobians, nats per
 * step: what a QR of the first column of the identity gives.
 *
 * Masked steps are not counted. -Infinity when the vector becomes exactly zero; NaN when no step is left after the
 * warm-up or the Jacobians are not finite. Numerics: float64, renormalised by powers of two.
 * Source: D12 of method.md; Vogt et al. 2006.14123, Engelken et al. 2006.02427.
 *
 * @param cell - The cell.
 * @param trajectory - Its states, or those of another engine.
 * @param warmUp - The first so many valid steps, in the order of computing, grow the vector but are not counted.
 */
export function leadingExponent(cell: ReferenceCell, trajectory: Trajectory, warmUp: number): number {
  const growth = leadingGrowth(cell, trajectory, warmUp);
  for (;;) {
    const { done, value } = growth.next();
    if (done) return value;
  }
}

/**
 * The same number step by step, for callers that must not block for the length of a whole sequence.
 *
 * @param cell - The cell.
 * @param trajectory - Its states, or those of another engine.
 * @param warmUp - As for `leadingExponent`.
 * @returns A generator that stops after each computed step and ends with the exponent.
 */
export function* leadingGrowth(
  cell: ReferenceCell,
  trajectory: Trajectory,
  warmUp: number,
): Generator<undefined, number, void> {
  const { inputDim, stateSize } = cell;
  const { direction, steps, x } = trajectory;
  const jacobians = newStepJacobians(cell);
  let vector = new Float64Array(stateSize);
  let next = new Float64Array(stateSize);
  vector[0] = 1;
  let exponent = 0;
  let logAtWarmUp = 0;
  let valid = 0;
  for (let n = 0; n < steps; n++) {
    const t = timeIndex(direction, steps, n);
    if (!isValidStep(trajectory, t)) continue;
    if (valid === warmUp) logAtWarmUp = logNorm(vector) + exponent * Math.LN2;
    cell.linearise(x.subarray(t * inputDim, (t + 1) * inputDim), stateBefore(trajectory, cell, n), jacobians, 'state');
    for (let row = 0; row < stateSize; row++) {
      let sum = 0;
      for (let k = 0, at = row * stateSize; k < stateSize; k++, at++) sum += jacobians.stateJacobian[at] * vector[k];
      next[row] = sum;
    }
    [vector, next] = [next, vector];
    valid++;
    yield;
    const largest = largestMagnitude(vector);
    if (largest === 0) return -Infinity;
    if (!Number.isFinite(largest)) return largest;
    const shift = binaryExponent(largest);
    if (Math.abs(shift) > 64) {
      for (let at = 0; at < stateSize; at++) vector[at] = scaleByPower(vector[at], -shift);
      exponent += shift;
    }
  }
  if (valid <= warmUp) return NaN;
  return (logNorm(vector) + exponent * Math.LN2 - logAtWarmUp) / (valid - warmUp);
}
