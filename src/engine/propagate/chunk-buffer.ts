/**
 * The host arrays of a stream of chunks, written again for every chunk.
 *
 * Rows are (sequence, step) with one Jacobian each.
 */
import type { RealArray } from '../engine';
import type { Ops, ReadBuffer, Value } from '../ops';
import { newReals } from '../cells/run-cell';

/** Memory for chunks of Jacobians. */
export interface ChunkBuffer {
  /** `rows * rowLength` numbers. */
  readonly array: RealArray;
  /** Copies a value of whole rows to rows `firstRow ..`. */
  put(value: Value, firstRow: number): void;
  /** Lets go of the engine's hold on it. */
  dispose(): void;
}

/**
 * A chunk buffer.
 *
 * @param ops - Operations.
 * @param rows - Number of Jacobians.
 * @param rowLength - Numbers in a Jacobian.
 * @param newArray - Makes the array where the engine's memory cannot be shared; left out: in the operations' precision.
 */
export function openChunkBuffer(
  ops: Ops,
  rows: number,
  rowLength: number,
  newArray = (length: number): RealArray => newReals(ops, length),
): ChunkBuffer {
  const shared: ReadBuffer | null = ops.native?.readBuffer(rows, rowLength) ?? null;
  if (shared) return shared;
  const array = newArray(rows * rowLength);
  return {
    array,
    put: (value, firstRow) => ops.readInto(value, array, firstRow * rowLength),
    dispose: () => undefined,
  };
}
