/** Inputs and states of some steps of a run, uploaded as the points at which they are differentiated. */
import { timeIndex } from '../../core/reference/run-cell';
import type { Ops } from '../ops';
import type { CellRun } from '../cells/run-cell';
import type { StepPoints } from '../cells/tensor-cell';

/** Some steps of some sequences. */
export interface StepSelection {
  /** First sequence, and how many. */
  readonly firstSequence: number;
  readonly sequences: number;
  /** Steps in the order of computing, n = 0 for the one computed first. */
  readonly steps: readonly number[];
  /** Which index runs slower in the result. */
  readonly slowest: 'step' | 'sequence';
}

/**
 * The points of the selected steps, N = steps times sequences; a masked step has the state before it twice.
 *
 * @param ops - Operations; the values are the caller's.
 * @param run - States and inputs.
 * @param selection - Which steps.
 */
export function uploadPoints(ops: Ops, run: CellRun, selection: StepSelection): StepPoints {
  const { firstSequence, sequences, steps, slowest } = selection;
  const pairs: StepOfSequence[] = [];
  for (let s = 0; s < steps.length; s++) {
    for (let b = 0; b < sequences; b++) {
      pairs[slowest === 'step' ? s * sequences + b : b * steps.length + s] = {
        sequence: firstSequence + b,
        n: steps[s],
      };
    }
  }
  return uploadPairs(ops, run, pairs);
}

/** One step of one sequence; n counts in the order of computing. */
export interface StepOfSequence {
  readonly sequence: number;
  readonly n: number;
}

/**
 * The points of any (sequence, step) pairs, in their order.
 *
 * @param ops - Operations; the values are the caller's.
 * @param run - States and inputs.
 * @param pairs - N of them.
 */
export function uploadPairs(ops: Ops, run: CellRun, pairs: readonly StepOfSequence[]): StepPoints {
  const { units, hiddenSize, inputDim } = run;
  const gather = (source: Float32Array | Float64Array, width: number, before: Float32Array | Float64Array | null) => {
    const size = pairs.length * width;
    const rows = ops.engine === 'reference' ? new Float64Array(size) : new Float32Array(size);
    pairs.forEach(({ sequence, n: step }, row) => {
      const n = step - (before ? 1 : 0);
      if (n < 0 && before) {
        rows.set(before.subarray(sequence * width, (sequence + 1) * width), row * width);
      } else {
        const from = (sequence * run.steps + timeIndex(run.direction, run.steps, n)) * width;
        rows.set(source.subarray(from, from + width), row * width);
      }
    });
    return ops.upload(rows, [pairs.length, width]);
  };
  return {
    x: gather(run.x, inputDim, null),
    hPrevious: gather(run.h, hiddenSize, run.h0),
    cPrevious: run.c ? gather(run.c, units, run.c0) : null,
    c: run.c ? gather(run.c, units, null) : null,
  };
}
