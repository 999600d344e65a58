/**
 * How a propagation is cut into pieces.
 *
 * Pieces depend on the cell, B, T and the options alone, never on a measurement: that is what makes the same run give
 * the same bits in the window and on the command line. The sizes below keep a piece within the second and third level
 * cache, where a transposition runs ten times faster than in memory.
 */

import type { CellSizes } from '../cells/cell-sizes';

/** Bytes of step operators formed at once, and of Jacobians formed at once, with the largest chunks. */
const TILE_BYTES = 4 * 2 ** 20;

/** Bytes of pulled rows of the sequences that go through one product together, likewise. */
const ROWS_BYTES = 8 * 2 ** 20;

/** A chunk costs at most about half a second on two cores, so that the first one comes soon. */
const CHUNK_FLOP = 1e11;

/** No chunk is larger than this, whatever the caller allows: small enough to cancel within 200 ms, large enough to be fast. */
export const LARGEST_CHUNK_BYTES = 16 * 2 ** 20;

/** No group is longer: one check of the norms for so many steps. */
const MAX_GROUP_STEPS = 64;

/** Where products are done one by one, everything takes about so many times as long, and pieces are as much smaller. */
const SLOWER = 8;

/** Bytes of columns that are pushed together. */
export const COLUMN_BYTES = 2 * 2 ** 20;

/** Reals of vectors that are computed and held at once where columns are pushed, by the native library and in this process. */
export const VECTORS_LENGTH = { native: 2 ** 21, host: 2 ** 17 } as const;

/** What the pieces depend on. */
export interface PlanShape extends CellSizes {
  readonly batch: number;
  readonly steps: number;
  /** What the caller allows a chunk; everything that is formed at once shrinks with it. */
  readonly chunkBytes: number;
  /** Whether products of several sequences are done together as fast as one by one. */
  readonly hasBatchedProducts: boolean;
  /** Whether every sequence goes through products of its own whatever the engine does; left out: it does not. */
  readonly isOneByOne?: boolean;
}

/** Pieces of `final`. */
export interface FinalPlan {
  /** Timesteps in a chunk. */
  readonly chunkSteps: number;
  /** Sequences in one product. */
  readonly sequences: number;
  /** Timesteps whose operators are formed together. */
  readonly groupSteps: number;
}

/** Pieces of `diagonal`. */
export interface DiagonalPlan {
  /** Timesteps in a chunk. */
  readonly chunkSteps: number;
  /** Sequences whose vectors are computed together. */
  readonly sequences: number;
  /** (sequence, step) pairs whose Jacobians are formed together. */
  readonly tilePairs: number;
}

/**
 * The pieces of `final`.
 *
 * @param shape - Sizes of cell, run and chunk.
 */
export function planFinal(shape: PlanShape): FinalPlan {
  const { batch, steps, inputDim, stateSize, operatorRows, operatorColumns } = shape;
  const operatorBytes = 4 * operatorRows * operatorColumns;
  const rowsBytes = 4 * operatorRows * stateSize;
  const { chunkBytes, tileBytes, togetherBytes } = budgets(shape);
  const isTogether = shape.hasBatchedProducts && !shape.isOneByOne;
  const most = isTogether ? Math.min(tileBytes / operatorBytes, togetherBytes / rowsBytes) : 1;
  const sequences = between(1, most, batch);
  const groupSteps = between(1, tileBytes / (operatorBytes * sequences), Math.min(steps, MAX_GROUP_STEPS));
  const resultBytes = 4 * batch * stateSize * inputDim;
  const vectorBytes = 4 * sequences * shape.vectorLength;
  const flop = 2 * stateSize * operatorRows * operatorColumns * batch;
  const chunkSteps = between(
    1,
    Math.min(chunkBytes / resultBytes, togetherBytes / vectorBytes, CHUNK_FLOP / flop),
    steps,
  );
  return { chunkSteps, sequences, groupSteps: Math.min(groupSteps, chunkSteps) };
}

/**
 * The pieces of `diagonal`.
 *
 * @param shape - Sizes of cell, run and chunk.
 */
export function planDiagonal(shape: PlanShape): DiagonalPlan {
  const { batch, steps, inputDim, stateSize } = shape;
  const pairBytes = 4 * stateSize * inputDim;
  const { chunkBytes, tileBytes, togetherBytes } = budgets(shape);
  const vectorBytes = 4 * shape.vectorLength;
  const chunkSteps = between(1, chunkBytes / (pairBytes * batch), steps);
  const sequences = between(1, togetherBytes / (vectorBytes * chunkSteps), batch);
  const tilePairs = between(1, tileBytes / pairBytes, sequences * chunkSteps);
  return { chunkSteps, sequences, tilePairs };
}

/** The bytes of a chunk and of what is formed for it, smaller in proportion where the caller allows less. */
function budgets(shape: PlanShape): { chunkBytes: number; tileBytes: number; togetherBytes: number } {
  const chunkBytes = Math.min(shape.chunkBytes, LARGEST_CHUNK_BYTES / (shape.hasBatchedProducts ? 1 : SLOWER));
  const share = chunkBytes / LARGEST_CHUNK_BYTES;
  return { chunkBytes, tileBytes: share * TILE_BYTES, togetherBytes: share * ROWS_BYTES };
}

function between(low: number, wanted: number, high: number): number {
  return Math.max(low, Math.min(Math.floor(wanted), high));
}
