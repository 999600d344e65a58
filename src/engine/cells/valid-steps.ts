/**
 * Which steps of each sequence are computed, in which order.
 *
 * Masked steps copy the state, so a sequence may be computed with them left out; what is left stands in its order of
 * computing, from the last timestep on for a backward recurrence.
 */
import type { Direction } from '../../core/jacobian';
import { timeIndex } from '../../core/reference/run-cell';

/** The computed steps of B sequences. */
export interface ValidSteps {
  /** Largest number of computed steps of a sequence; 0 when all are masked. */
  readonly longest: number;
  /** Time indices of the computed steps of one sequence, in the order of computing. */
  of(sequence: number): Int32Array;
}

/**
 * The computed steps.
 *
 * @param direction - Direction of the recurrence.
 * @param batch - B.
 * @param steps - T.
 * @param mask - `[B, T]`, 1 = valid; null when all are.
 */
export function validSteps(direction: Direction, batch: number, steps: number, mask: Uint8Array | null): ValidSteps {
  if (mask === null) {
    const all = Int32Array.from({ length: steps }, (_, n) => timeIndex(direction, steps, n));
    return { longest: steps, of: () => all };
  }
  const bySequence: Int32Array[] = [];
  let longest = 0;
  for (let sequence = 0; sequence < batch; sequence++) {
    const found: number[] = [];
    for (let n = 0; n < steps; n++) {
      const t = timeIndex(direction, steps, n);
      if (mask[sequence * steps + t] !== 0) found.push(t);
    }
    longest = Math.max(longest, found.length);
    bySequence.push(Int32Array.from(found));
  }
  return { longest, of: (sequence) => bySequence[sequence] };
}
