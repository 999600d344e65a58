/** Whole Jacobians of pairs of steps of one sequence in float64, as the engines give them. */
import type { PairBlocksChunk } from '../../core/jacobian';
import type { ReferenceCell } from '../../core/reference/cell';
import { pairsTile, propagatePairs } from '../../core/reference/propagate-pairs';
import type { ReferenceColumns } from '../../core/reference/reference-columns';
import type { Trajectory } from '../../core/reference/run-cell';
import { validSteps } from '../cells/valid-steps';
import type { Pace } from '../pace';
import { BlockBuffer, type RawBlock } from './block-buffer';
import type { StepTimes } from './pairs-times';

/**
 * Blocks of every target; see `PairBlocksChunk`.
 *
 * Numerics: float64; scales are those of float32 all the same, in which the blocks are stored.
 *
 * @param cell - The cell.
 * @param trajectory - Its states.
 * @param sequence - Which sequence of the batch it is.
 * @param pace - Lets messages in.
 */
export async function* referencePairBlocks(
  cell: ReferenceCell,
  trajectory: Trajectory,
  sequence: number,
  pace: Pace,
): AsyncGenerator<PairBlocksChunk, void, void> {
  const { inputDim } = cell;
  const sources = pairsTile(cell, 'input', trajectory.steps);
  const times = referenceTimes(cell, trajectory, sequence);
  const sizes = referenceBlockSizes(cell);
  const buffer = new BlockBuffer(times, sizes, inputDim, sources, (length) => new Float64Array(length));
  for (const row of propagatePairs(cell, trajectory, 'input')) {
    buffer.begin(row.firstSource, row.sources);
    for (let source = 0; source < row.sources; source++) {
      sizes.forEach((_, state) => {
        const logNorm = (state === 0 ? row.h : row.c!)[source];
        buffer.put(state, source, rawBlock(cell, row.columns, source, state, logNorm));
      });
    }
    yield* buffer.chunks(row.target, sequence);
    await pace.breathe();
  }
}

/**
 * The computed steps of a sequence in time.
 *
 * @param cell - The cell.
 * @param trajectory - Its states.
 * @param sequence - Which sequence of the batch it is.
 */
export function referenceTimes(cell: ReferenceCell, trajectory: Trajectory, sequence: number): StepTimes {
  const { direction, steps, mask } = trajectory;
  const { hiddenSize, stateSize } = cell;
  return { sequence, direction, steps, valid: validSteps(direction, 1, steps, mask).of(0), hiddenSize, stateSize };
}

/**
 * Units of h, and of c for an LSTM.
 *
 * @param cell - The cell.
 */
export function referenceBlockSizes({ hiddenSize, units, hasCell }: ReferenceCell): readonly number[] {
  return hasCell ? [hiddenSize, units] : [hiddenSize];
}

/**
 * The entries of one state with respect to one source.
 *
 * @param cell - The cell.
 * @param columns - The columns.
 * @param source - Its place among them.
 * @param state - 0 for h, 1 for c.
 * @param logNorm - Of these entries.
 */
export function rawBlock(
  { hiddenSize }: ReferenceCell,
  columns: ReferenceColumns,
  source: number,
  state: number,
  logNorm: number,
): RawBlock {
  const { values, start, stride, exponent } = columns.entriesOf(source);
  return { values, start: start + (state === 0 ? 0 : hiddenSize * stride), stride, exponent, logNorm };
}
