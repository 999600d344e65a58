/**
 * The number, null where it is infinite or not one: so a summary writes it.
 *
 * @param value - Any number.
 */
export function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
