/**
 * The Lyapunov exponents of one sequence, and the singular values of its whole state Jacobian, in float64.
 *
 * Tangents are orthonormalised after every step. What is kept of the triangles is their diagonal, and for all S
 * tangents their product, whose singular values are those of ds_T/ds_0: the exponents times T are not.
 */
import { orthonormalSteps } from '../linalg/orthonormal-rows';
import { multiply, transpose } from '../linalg/products';
import { TriangularProduct } from '../linalg/triangular-product';
import { SpectrumSum, type SequenceSpectrum } from '../spectrum-sum';
import { newStepJacobians, type ReferenceCell } from './cell';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from './run-cell';

/** Contraction of a tangent beside the others in one step below which it is mostly rounding. */
const UNRESOLVED_BELOW = Math.log(1e-12);

/** What of the spectrum is asked for. */
export interface SpectrumWish {
  /** p, at most S. */
  readonly count: number;
  /** The first so many valid steps, in the order of computing, turn the tangents but are not counted. */
  readonly warmUp: number;
  /** Whether the singular values of ds_T/ds_0 are wanted too; they take all S tangents. */
  readonly hasSingularValues: boolean;
}

/**
 * lambda_i = (1/n) sum ln R_ii,t with Q_t R_t = A_t Q_{t-1}, and ln sigma_i(A_T ... A_1).
 *
 * Numerics: float64, QR at every step; singular values to about the sum over steps of 1e-16 times the condition number
 * of A_t, relative to each, from 1e-3000 and below. Masked steps are skipped.
 * Source: D5 and D12 of method.md; Vogt et al. 2006.14123, Engelken et al. 2006.02427.
 *
 * @param cell - The cell.
 * @param trajectory - Its states, or those of another engine.
 * @param wish - How many exponents, and what else.
 * @throws TempogradError `numerics/not-converged` when the singular values do not settle.
 */
export function lyapunovSpectrum(cell: ReferenceCell, trajectory: Trajectory, wish: SpectrumWish): SequenceSpectrum {
  const run = spectrumSteps(cell, trajectory, wish);
  for (;;) {
    const { done, value } = run.next();
    if (done) return value;
  }
}

/**
 * The same step by step, for callers that must not block for the length of a whole sequence.
 *
 * @param cell - The cell.
 * @param trajectory - Its states, or those of another engine.
 * @param wish - As for `lyapunovSpectrum`.
 * @returns A generator that stops several times in each computed step and ends with the spectrum.
 */
export function* spectrumSteps(
  cell: ReferenceCell,
  trajectory: Trajectory,
  wish: SpectrumWish,
): Generator<undefined, SequenceSpectrum, void> {
  const { inputDim, stateSize: size } = cell;
  const { direction, steps, x } = trajectory;
  const count = wish.hasSingularValues ? size : Math.min(wish.count, size);
  const jacobians = newStepJacobians(cell);
  const triangle = new Float64Array(count * count);
  const logs = new Float64Array(count);
  const product = wish.hasSingularValues ? new TriangularProduct(size) : null;
  const sum = new SpectrumSum(count, steps, wish.warmUp);
  let tangents: Float64Array = new Float64Array(size * count);
  for (let at = 0; at < count; at++) tangents[at * count + at] = 1;
  const pushed = new Float64Array(size * count);
  for (let n = 0; n < steps; n++) {
    const t = timeIndex(direction, steps, n);
    if (isValidStep(trajectory, t)) {
      const input = x.subarray(t * inputDim, (t + 1) * inputDim);
      cell.linearise(input, stateBefore(trajectory, cell, n), jacobians, 'state');
      multiply(jacobians.stateJacobian, tangents, size, size, count, pushed);
      const rows = transpose(pushed, size, count);
      yield* orthonormalSteps(rows, count, size, triangle);
      tangents = transpose(rows, count, size);
      for (let i = 0; i < count; i++) logs[i] = Math.log(triangle[i * count + i]);
      product?.multiplyLeft(triangle);
      sum.add(logs, 1, UNRESOLVED_BELOW);
      yield;
    }
    sum.endStep(n);
  }
  const values = product ? yield* product.singularValueSteps() : null;
  return sum.result(Math.min(wish.count, size), values);
}
