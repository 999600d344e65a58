/** Which sequences of a batch are wanted of a run that is cut into parts. */

/** Consecutive sequences. */
export interface SequenceRange {
  readonly first: number;
  readonly count: number;
}

/**
 * Whether any of some sequences that go through the products together is wanted.
 *
 * A part of a run computes whole tiles, those that the whole run has, so that its numbers are the same bit for bit.
 *
 * @param wanted - The sequences that are wanted; undefined = all.
 * @param first - First sequence of the tile.
 * @param count - Sequences of the tile.
 */
export function holdsWanted(wanted: SequenceRange | undefined, first: number, count: number): boolean {
  return wanted === undefined || (first < wanted.first + wanted.count && wanted.first < first + count);
}
