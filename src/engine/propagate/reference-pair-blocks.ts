/** Whole Jacobians of pairs of steps of one sequence in float64, as the engines give them. */
import type { PairBlocksChunk } from '../../core/jacobian';
import { newStepJacobians, type ReferenceCell } from '../../core/reference/cell';
import { pairsTile, propagatePairs } from '../../core/reference/propagate-pairs';
import { ReferenceColumns } from '../../core/reference/reference-columns';
import { stateBefore, type Trajectory } from '../../core/reference/run-cell';
import { validSteps } from '../cells/valid-steps';
import type { Pace } from '../pace';
import type { BlockPlace, PairBlock, StoredBlock } from '../engine';
import { BlockBuffer, storeBlock, type RawBlock } from './block-buffer';
import { blockOfPair } from './pair-place';
import { orderOf, type StepTimes } from './pairs-times';

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
 * The block of one pair, pushed from its source.
 *
 * @param cell - The cell.
 * @param trajectory - Its states.
 * @param place - Which pair.
 * @param pace - Lets messages in.
 */
export async function referenceBlock(
  cell: ReferenceCell,
  trajectory: Trajectory,
  place: BlockPlace,
  pace: Pace,
): Promise<PairBlock> {
  const times = referenceTimes(cell, trajectory, place.sequence);
  const sizes = referenceBlockSizes(cell);
  const push = async (from: number, to: number, isInput: boolean): Promise<ReferenceColumns> => {
    const width = isInput ? cell.inputDim : cell.stateSize;
    const columns = new ReferenceColumns(cell, width, 1);
    const jacobians = newStepJacobians(cell);
    if (!isInput) columns.injectState(0, 0);
    for (let at = isInput ? from : from + 1; at <= to; at++) {
      const n = orderOf(times, at);
      const t = times.valid[at];
      const x = trajectory.x.subarray(t * cell.inputDim, (t + 1) * cell.inputDim);
      cell.linearise(x, stateBefore(trajectory, cell, n), jacobians, 'both');
      if (isInput && at === from) columns.inject(0, jacobians.inputJacobian);
      else columns.push(jacobians);
      await pace.breathe();
    }
    return columns;
  };
  const stored = (columns: ReferenceColumns, first: number, rows: number, width: number): StoredBlock => {
    const { values, start, stride, exponent } = columns.entriesOf(0);
    const logNorm = columns.logNorm(0, first, first + rows);
    const raw = { values, start: start + first * stride, stride, exponent, logNorm };
    const data = new Float64Array(rows * width);
    return { data, rows, columns: width, scale: storeBlock(raw, data, 0, rows, width), logNorm };
  };
  return blockOfPair(times, place, sizes, cell.inputDim, (length) => new Float64Array(length), {
    async input(from, to) {
      const columns = await push(from, to, true);
      return sizes.map((rows, state) => stored(columns, state === 0 ? 0 : sizes[0], rows, cell.inputDim));
    },
    async state(from, to) {
      return stored(await push(from, to, false), 0, cell.stateSize, cell.stateSize);
    },
  });
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
