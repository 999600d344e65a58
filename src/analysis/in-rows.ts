/** Long arrays gone through a piece at a time. */
import type { RealArray } from '../engine/engine';
import type { Pace } from '../engine/pace';

/** Entries looked at between two looks at the event loop. */
const ENTRIES_AT_ONCE = 2 ** 18;

/**
 * Calls `take` with every piece of the rows and of their mask, letting messages in between.
 *
 * @param values - `[rows, H]`
 * @param rows - How many.
 * @param mask - `[rows]`; null without one.
 * @param pace - Of the run.
 * @param take - Given views of some rows after the other.
 */
export async function inRows(
  values: RealArray,
  rows: number,
  mask: Uint8Array | null,
  pace: Pace,
  take: (part: RealArray, mask: Uint8Array | null) => void,
): Promise<void> {
  const width = values.length / rows;
  const count = Math.max(1, Math.floor(ENTRIES_AT_ONCE / width));
  for (let from = 0; from < rows; from += count) {
    const to = Math.min(rows, from + count);
    take(values.subarray(from * width, to * width), mask?.subarray(from, to) ?? null);
    await pace.breathe();
  }
}
