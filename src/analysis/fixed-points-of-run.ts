/** D25 of a run: fixed points under its mean input, sought from the states that it visited. */
import { findFixedPoints } from '../core/diagnostics/fixed-points';
import type { Direction } from '../core/jacobian';
import { cellsOf } from '../core/model';
import type { CellState } from '../core/reference/cell';
import { makeReferenceCell } from '../core/reference/reference-cell';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from '../core/reference/run-cell';
import type { FixedPointsSummary } from '../core/summary';
import type { Pace } from '../engine/pace';
import { trajectoryOf } from '../engine/trajectories';
import type { Gathered } from './gathered';

/** A Newton step of this size takes some 5 ms in plain TypeScript, eigenvalues ten times as long. */
const MAX_STATES = 128;
const STARTS = 16;

/**
 * Fixed points of one direction.
 *
 * @param gathered - Everything the run found.
 * @param direction - Which recurrence.
 * @param pace - Lets messages in.
 * @returns null for a state of more than 128 numbers.
 * @throws `signal.reason` of the pace when it is aborted.
 */
export async function fixedPointsOfRun(
  { layer, run, input }: Gathered,
  direction: Direction,
  pace: Pace,
): Promise<FixedPointsSummary | null> {
  const { cell: description } = cellsOf(layer.operation).find((entry) => entry.direction === direction)!;
  const cell = makeReferenceCell(description);
  if (cell.stateSize > MAX_STATES) return null;
  const starts: CellState[] = [];
  const mean = new Float64Array(cell.inputDim);
  let valid = 0;
  const perSequence = Math.max(1, Math.floor(STARTS / run.batch));
  for (let b = 0; b < run.batch; b++) {
    const trajectory = trajectoryOf(run, input, description, direction, b);
    valid += addInputs(mean, trajectory);
    // From the end of equal parts of the sequence; the last one is where it came to.
    for (let k = 1; k <= perSequence && starts.length < STARTS; k++) {
      starts.push(stateBefore(trajectory, cell, Math.ceil((k * run.steps) / perSequence)));
    }
    await pace.breathe();
  }
  if (valid === 0) return null;
  const walk = findFixedPoints(
    cell,
    mean.map((sum) => sum / valid),
    starts,
  );
  let step = walk.next();
  for (; !step.done; step = walk.next()) await pace.breathe();
  const { points, lost } = step.value;
  return {
    starts: starts.length,
    lost,
    points: points.map(({ spectralRadius, unstable, visits, residual }) => ({
      spectralRadius,
      unstable,
      visits,
      residual,
    })),
  };
}

/** Adds the inputs of valid steps, and says how many they are. */
function addInputs(sum: Float64Array, trajectory: Trajectory): number {
  let valid = 0;
  for (let n = 0; n < trajectory.steps; n++) {
    const t = timeIndex(trajectory.direction, trajectory.steps, n);
    if (!isValidStep(trajectory, t)) continue;
    valid++;
    for (let d = 0; d < sum.length; d++) sum[d]! += trajectory.x[t * sum.length + d]!;
  }
  return valid;
}
