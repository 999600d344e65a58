/** Which part of a run is computed, as plain data. */
import type { Direction } from '../core/jacobian';

/** Consecutive tiles of all pairs of one direction, `first .. end` of `total`. */
export interface TileRange {
  readonly direction: Direction;
  readonly first: number;
  readonly end: number;
  readonly total: number;
}

/** Which part of a run is computed; the sizes of `StartedEvent` are those of the whole run. */
export interface RunPart {
  /** 1 .. count */
  readonly index: number;
  readonly count: number;
  /** All that is no norm of pairs comes of these sequences alone, counted from the first of them. */
  readonly sequences: { readonly first: number; readonly count: number };
  /** With the mode pairs. */
  readonly tiles: readonly TileRange[];
  /** What a chunk of results may have; the tiles follow from it. */
  readonly chunkBytes: number;
  /** Of the states of all sequences, which every part computes. */
  readonly statesChecksum: string;
}
