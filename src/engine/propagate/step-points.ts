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
  const count = sequences * steps.length;
  const { units, hiddenSize, inputDim } = run;
  const gather = (source: Float32Array | Float64Array, width: number, before: Float32Array | Float64Array | null) => {
    const rows = ops.engine === 'reference' ? new Float64Array(count * width) : new Float32Array(count * width);
    for (let s = 0; s < steps.length; s++) {
      for (let b = 0; b < sequences; b++) {
        const row = slowest === 'step' ? s * sequences + b : b * steps.length + s;
        const sequence = firstSequence + b;
        const n = steps[s] - (before ? 1 : 0);
        if (n < 0 && before) {
          rows.set(before.subarray(sequence * width, (sequence + 1) * width), row * width);
        } else {
          const from = (sequence * run.steps + timeIndex(run.direction, run.steps, n)) * width;
          rows.set(source.subarray(from, from + width), row * width);
        }
      }
    }
    return ops.upload(rows, [count, width]);
  };
  return {
    x: gather(run.x, inputDim, null),
    hPrevious: gather(run.h, hiddenSize, run.h0),
    cPrevious: run.c ? gather(run.c, units, run.c0) : null,
    c: run.c ? gather(run.c, units, null) : null,
  };
}
