/** The plainest way to run a cell, which most files and every run without a file have. */
import type { CellDescription, RecurrentOperation } from './model';

/**
 * A recurrent operation that gives the whole sequence and nothing else: both directions concatenated, zeros before the
 * first step, every step valid. What a caller knows better it sets over this.
 *
 * @param forward - The forward cell, null for none.
 * @param backward - The backward cell, null for none.
 */
export function wholeSequence(
  forward: CellDescription | null,
  backward: CellDescription | null = null,
): RecurrentOperation {
  return {
    kind: 'recurrent',
    forward,
    backward,
    mergeMode: 'concat',
    returnSequences: true,
    returnState: false,
    stateful: false,
    outputReversed: false,
    zeroOutputForMask: false,
    timeDistributed: false,
    backwardInput: null,
    initialState: [],
    sequenceLengths: null,
  };
}
