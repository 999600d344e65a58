/** Which entries of an axis a slice takes. */

/** A slice as Python writes it; negative places count from the end, places outside are moved to the ends. */
export interface Slice {
  readonly start: number;
  readonly end: number;
  /** Not 0; below 0 the entries are taken last first. */
  readonly step: number;
}

/**
 * The places of an axis that a slice takes, in its order.
 *
 * @param slice - The slice.
 * @param size - Entries of the axis.
 */
export function slicedPlaces({ start, end, step }: Slice, size: number): Int32Array {
  const front = (place: number): number => (place < 0 ? place + size : place);
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const clamp = (place: number): number => Math.min(Math.max(front(place), low), high);
  const first = clamp(start);
  const count = Math.max(0, Math.ceil((clamp(end) - first) / step));
  return Int32Array.from({ length: count }, (_, index) => first + index * step);
}
