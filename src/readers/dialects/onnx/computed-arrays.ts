/**
 * Arrays that were computed from constants and may be wanted again: the newest ones, as many as there is room for.
 *
 * A chain of operators would else keep every array on its way. What is dropped is computed again when it is asked for.
 */
import type { RealTensor } from '../../../core/tensor';

/** So much is kept beside the newest array, or as much as the largest one takes. */
const ROOM_BYTES = 32 * 1024 * 1024;

/** What was computed together. */
type Arrays = readonly RealTensor[];

/** The arrays by what they were computed for, the one that was used last standing last. */
export class ComputedArrays {
  readonly #kept = new Map<object, Arrays>();
  #bytes = 0;
  #largest = 0;

  /**
   * The arrays of a key, null when they are not or no longer there.
   *
   * @param key - What they were computed for.
   */
  get(key: object): Arrays | null {
    const arrays = this.#kept.get(key);
    if (!arrays) return null;
    this.#kept.delete(key);
    this.#kept.set(key, arrays);
    return arrays;
  }

  /**
   * Keeps arrays, and drops those that were not used for longest where there is no room for them.
   *
   * @param key - What they were computed for.
   * @param arrays - The arrays.
   */
  set(key: object, arrays: Arrays): void {
    this.delete(key);
    const newest = bytesOf(arrays);
    this.#kept.set(key, arrays);
    this.#bytes += newest;
    this.#largest = Math.max(this.#largest, newest);
    for (const oldest of this.#kept.keys()) {
      if (oldest === key || this.#bytes - newest <= Math.max(ROOM_BYTES, this.#largest)) return;
      this.delete(oldest);
    }
  }

  /**
   * Drops the arrays of a key.
   *
   * @param key - What they were computed for.
   */
  delete(key: object): void {
    const arrays = this.#kept.get(key);
    if (!arrays) return;
    this.#kept.delete(key);
    this.#bytes -= bytesOf(arrays);
  }
}

function bytesOf(arrays: Arrays): number {
  return arrays.reduce((sum, { data }) => sum + data.byteLength, 0);
}
