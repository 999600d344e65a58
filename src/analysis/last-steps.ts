/** The end of a run as a run of its own. */
import { isValidStep, timeIndex, type Trajectory } from '../core/reference/run-cell';

/**
 * The same trajectory with all but its last valid steps masked.
 *
 * @param trajectory - The states of a sequence.
 * @param count - How many steps stay.
 * @returns null where it has fewer.
 */
export function lastSteps(trajectory: Trajectory, count: number): Trajectory | null {
  const { direction, steps } = trajectory;
  const mask = new Uint8Array(steps);
  let left = count;
  for (let n = steps - 1; n >= 0 && left > 0; n--) {
    const t = timeIndex(direction, steps, n);
    if (!isValidStep(trajectory, t)) continue;
    mask[t] = 1;
    left--;
  }
  return left > 0 ? null : { ...trajectory, mask };
}
