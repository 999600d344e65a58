/** Rows of log norms, gathered target by target until they make a block. */
import { addNorms } from '../../core/linalg/scaling';
import type { PairsSource } from '../../core/reference/propagate-pairs';
import type { PairsBlock } from './pairs-times';

/** A block is handed over when it has so many norms. */
export const BLOCK_NORMS = 2 ** 16;

/** Rows of norms as they come, each as wide as there are sources so far. */
export class NormRows {
  private readonly h: Float64Array[] = [];
  private readonly c: Float64Array[] = [];

  /**
   * @param width - Sources of the widest row.
   */
  constructor(private readonly width: number) {}

  /** Rows so far. */
  get count(): number {
    return this.h.length;
  }

  /**
   * Adds the row of one target.
   *
   * @param h - Norms of h from `from` on.
   * @param c - Of c; null without one.
   * @param from - Where the row begins.
   * @param count - How many sources it has; the others are zeros.
   */
  add(h: Float64Array, c: Float64Array | null, from: number, count: number): void {
    this.h.push(this.padded(h, from, count));
    if (c) this.c.push(this.padded(c, from, count));
  }

  /**
   * The arrays of a block.
   *
   * @param source - What kind it is.
   * @param sources - The first so many of each row.
   */
  arrays(source: PairsSource, sources: number): Pick<PairsBlock, 'h' | 'c' | 's'> {
    const h = joined(this.h, sources);
    const c = this.c.length > 0 ? joined(this.c, sources) : null;
    if (source !== 'state' && source !== 'initial') return { h, c, s: null };
    const s = c ? h.map((value, at) => addNorms(value, c[at])) : h;
    return source === 'state' ? { h: null, c: null, s } : { h, c: null, s };
  }

  private padded(norms: Float64Array, from: number, count: number): Float64Array {
    const row = new Float64Array(this.width).fill(-Infinity);
    row.set(norms.subarray(from, from + count));
    return row;
  }
}

function joined(rows: readonly Float64Array[], width: number): Float64Array {
  const out = new Float64Array(rows.length * width);
  rows.forEach((row, at) => out.set(row.subarray(0, width), at * width));
  return out;
}
