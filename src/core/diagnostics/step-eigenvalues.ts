/** Eigenvalues of step state Jacobians at visited states, and of the recurrent kernel's blocks. */
import { eigenvalues } from '../linalg/decompositions';
import { frobeniusNorm } from '../linalg/scaling';
import type { CellDescription } from '../model';
import { newStepJacobians, type ReferenceCell } from '../reference/cell';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from '../reference/run-cell';
import { recurrentMatrices } from './gate-blocks';

/** At most so many steps are looked at for the one of largest norm, evenly spread. */
const MAX_NORMS = 256;

/** The eigenvalues of one A_t. */
export interface StepEigenvalues {
  /** Time index t. */
  readonly step: number;
  /** ||A_t||_F */
  readonly norm: number;
  /** `[S, 2]`, real and imaginary part; largest absolute value first, conjugates with the positive imaginary part first. */
  readonly values: Float64Array;
}

/**
 * eig(A_t) at `count` valid steps spread evenly from the first to the last, and at the step of largest norm.
 *
 * Numerics: QR algorithm in float64. Source: A_t of method.md 2.2 to 2.4; Golub and Van Loan, Matrix Computations, 7.5.
 *
 * @param cell - The cell.
 * @param trajectory - Its states, or those of another engine.
 * @param count - Steps besides the one of largest norm; the same step may come twice.
 * @returns A generator that stops after each step and ends with `count + 1` entries, none without a valid step.
 * @throws TempogradError `numerics/not-converged` when eigenvalues do not settle.
 */
export function* stepEigenvalues(
  cell: ReferenceCell,
  trajectory: Trajectory,
  count: number,
): Generator<undefined, readonly StepEigenvalues[], void> {
  const { direction, steps, x } = trajectory;
  const { inputDim, stateSize } = cell;
  const jacobians = newStepJacobians(cell);
  const valid = Array.from({ length: steps }, (_, n) => n).filter((n) =>
    isValidStep(trajectory, timeIndex(direction, steps, n)),
  );
  if (valid.length === 0) return [];
  const jacobianAt = (n: number): Float64Array => {
    const t = timeIndex(direction, steps, n);
    const input = x.subarray(t * inputDim, (t + 1) * inputDim);
    cell.linearise(input, stateBefore(trajectory, cell, n), jacobians, 'state');
    return jacobians.stateJacobian;
  };
  let largest = { n: valid[0], norm: -1 };
  for (const n of spread(valid, Math.min(valid.length, MAX_NORMS))) {
    const norm = frobeniusNorm(jacobianAt(n));
    if (norm > largest.norm) largest = { n, norm };
    yield;
  }
  const found: StepEigenvalues[] = [];
  for (const n of [...spread(valid, count), largest.n]) {
    const matrix = jacobianAt(n);
    const norm = frobeniusNorm(matrix);
    found.push({ step: timeIndex(direction, steps, n), norm, values: sortedEigenvalues(matrix, stateSize) });
    yield;
  }
  return found;
}

/**
 * The eigenvalues of each block of the recurrent kernel, sorted as those of a step are.
 *
 * Numerics and source: as for `stepEigenvalues`.
 *
 * @param description - A cell without projection, whose blocks are square.
 * @returns Gate (`h` for a SimpleRNN) to `[H, 2]`.
 * @throws TempogradError `numerics/not-converged`.
 */
export function kernelEigenvalues(description: CellDescription): ReadonlyMap<string, Float64Array> {
  return new Map(
    recurrentMatrices(description).map(({ gate, data }) => [gate, sortedEigenvalues(data, description.units)]),
  );
}

/** `[size, 2]`; NaN throughout when an entry of the matrix is not finite. */
function sortedEigenvalues(matrix: Float64Array, size: number): Float64Array {
  const { real, imaginary } = eigenvalues(matrix, size);
  const modulus = real.map((part, at) => Math.hypot(part, imaginary[at]));
  const order = Array.from({ length: size }, (_, at) => at);
  order.sort((a, b) => modulus[b] - modulus[a] || real[b] - real[a] || imaginary[b] - imaginary[a]);
  return Float64Array.from(order.flatMap((at) => [real[at], imaginary[at]]));
}

/** `count` entries from the first to the last; the last one alone for a count of 1. */
function spread(list: readonly number[], count: number): readonly number[] {
  const last = list.length - 1;
  return Array.from({ length: count }, (_, k) => list[count === 1 ? last : Math.round((k * last) / (count - 1))]);
}
