/** Which steps of a batch are counted, where tangents are pushed in groups of steps that end with the warm-up. */
import { timeIndex } from '../../core/reference/run-cell';
import type { CellRun } from '../cells/run-cell';

/**
 * Whether a step is computed; a masked one copies the state.
 *
 * @param run - The run.
 * @param sequence - Which sequence.
 * @param n - The step in the order of computing.
 */
export function isComputed(run: CellRun, sequence: number, n: number): boolean {
  return run.mask === null || run.mask[sequence * run.steps + timeIndex(run.direction, run.steps, n)] !== 0;
}

/**
 * At most `longest` steps from step n on, ending where a sequence ends its warm-up.
 *
 * @param run - The run.
 * @param first - The first sequence.
 * @param counted - How many steps of each sequence were computed so far.
 * @param n - The next step.
 * @param longest - At most so many.
 * @param warmUp - Computed steps that are left out.
 */
export function groupLength(
  run: CellRun,
  first: number,
  counted: readonly { readonly valid: number }[],
  n: number,
  longest: number,
  warmUp: number,
): number {
  let group = longest;
  counted.forEach(({ valid: before }, i) => {
    let valid = before;
    for (let step = 0; step < group && valid < warmUp; step++) {
      if (isComputed(run, first + i, n + step)) valid++;
      if (valid === warmUp) group = step + 1;
    }
  });
  return group;
}
