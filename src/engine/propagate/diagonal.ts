/**
 * dh_t/dx_t and dc_t/dx_t of a batch, timesteps ascending, in chunks.
 *
 * Bound by memory, not by arithmetic: Jacobians are formed in tiles that stay in cache and copied into one host buffer
 * each for h and c, which every chunk uses again.
 */
import type { DiagonalChunk } from '../../core/jacobian';
import { timeIndex } from '../../core/reference/run-cell';
import { sliceVectors } from '../cells/step-vectors';
import type { CellRun } from '../cells/run-cell';
import type { StepVectors, TensorCell } from '../cells/tensor-cell';
import type { PropagateOptions } from '../engine';
import type { Ops } from '../ops';
import { Pace } from '../pace';
import { holdsWanted } from '../sequence-range';
import { openChunkBuffer, type ChunkBuffer } from './chunk-buffer';
import { planDiagonal, type DiagonalPlan } from './plan';
import { uploadPoints } from './step-points';

/**
 * Chunks of the step Jacobians; a masked step is exactly zero.
 *
 * Numerics: float32, derivatives at the pre-activation. Source: method.md 2.2 to 2.4.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param run - Its states.
 * @param options - Signal and size of a chunk.
 */
export async function* propagateDiagonal(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  options: PropagateOptions,
): AsyncGenerator<DiagonalChunk, void, void> {
  const { batch, steps, inputDim } = run;
  const plan = planOf(ops, cell, run, options.chunkBytes);
  const pace = new Pace(options.signal);
  const buffers = cell.blockSizes.map((size) => openChunkBuffer(ops, batch * plan.chunkSteps, size * inputDim));
  try {
    for (let start = 0; start < steps; start += plan.chunkSteps) {
      const count = Math.min(plan.chunkSteps, steps - start);
      for (let first = 0; first < batch; first += plan.sequences) {
        const sequences = Math.min(plan.sequences, batch - first);
        if (!holdsWanted(options.sequences, first, sequences)) continue;
        const tile = { first, sequences, start, count };
        await fillTile(ops, cell, run, buffers, tile, Math.min(plan.tilePairs, sequences * count), pace);
      }
      const [dhdx, dcdx = null] = buffers.map(({ array }, block) =>
        array.subarray(0, batch * count * cell.blockSizes[block] * inputDim),
      );
      yield {
        mode: 'diagonal',
        direction: run.direction,
        start,
        count,
        dhdx,
        dcdx,
      };
      await pace.breathe();
    }
  } finally {
    for (const buffer of buffers) buffer.dispose();
  }
}

function planOf(ops: Ops, cell: TensorCell, { batch, steps }: CellRun, chunkBytes: number): DiagonalPlan {
  return planDiagonal({ ...cell, batch, steps, chunkBytes, hasBatchedProducts: ops.engine !== 'wasm' });
}

/**
 * Sequences whose vectors are computed together.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param run - Its states.
 * @param chunkBytes - Size of a chunk.
 */
export function diagonalSequences(ops: Ops, cell: TensorCell, run: CellRun, chunkBytes: number): number {
  return planOf(ops, cell, run, chunkBytes).sequences;
}

/** Steps `start .. start + count` of `sequences` sequences from `first`. */
interface Tile {
  readonly first: number;
  readonly sequences: number;
  readonly start: number;
  readonly count: number;
}

/** Forms the Jacobians of a tile, `pairsAtOnce` (sequence, step) pairs at a time. */
async function fillTile(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  buffers: readonly ChunkBuffer[],
  tile: Tile,
  pairsAtOnce: number,
  pace: Pace,
): Promise<void> {
  const { first, sequences, start, count } = tile;
  const steps = Array.from({ length: count }, (_, i) => timeIndex(run.direction, run.steps, start + i));
  const vectors = ops.tidy(() =>
    cell.vectors(uploadPoints(ops, run, { firstSequence: first, sequences, steps, slowest: 'sequence' })),
  );
  try {
    const pairs = sequences * count;
    for (let done = 0; done < pairs; done += pairsAtOnce) {
      const size = Math.min(pairsAtOnce, pairs - done);
      ops.tidy(() => {
        const part: StepVectors = size === pairs ? vectors : sliceVectors(ops, vectors, done, size);
        cell.inputJacobians(part).forEach((jacobians, block) => {
          buffers[block].put(jacobians, first * count + done);
        });
      });
      await pace.breathe();
    }
  } finally {
    ops.dispose(...Object.values(vectors));
  }
  if (run.mask) zeroMasked(cell, run, buffers, tile, run.mask);
}

/** Writes exact zeros at masked steps. */
function zeroMasked(
  cell: TensorCell,
  run: CellRun,
  buffers: readonly ChunkBuffer[],
  tile: Tile,
  mask: Uint8Array,
): void {
  for (let sequence = tile.first; sequence < tile.first + tile.sequences; sequence++) {
    for (let i = 0; i < tile.count; i++) {
      if (mask[sequence * run.steps + tile.start + i] !== 0) continue;
      const row = sequence * tile.count + i;
      buffers.forEach(({ array }, block) => {
        const length = cell.blockSizes[block] * run.inputDim;
        array.fill(0, row * length, (row + 1) * length);
      });
    }
  }
}
