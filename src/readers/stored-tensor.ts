/** A tensor where it lies in a file: name, shape and type are known, its numbers are read when they are wanted. */
import type { RealTensor } from '../core/tensor';

/** A tensor as a file holds it. */
export interface StoredTensor {
  /** The file's own name, for display. */
  readonly name: string;
  readonly shape: readonly number[];
  /** As the file says it: `float32`, `F16`. */
  readonly dtype: string;
  /** The numbers, widened to float32 or float64; the caller owns them. */
  read(): Promise<RealTensor>;
  /** A way to read it in parts; left out where it cannot be had without reading all of it. */
  readonly openRows?: () => Promise<ReadRows>;
}

/** Entries of the first axis from `start` on, as `read` gives them. */
export type ReadRows = (start: number, count: number) => RealTensor['data'];
