/**
 * The constant part of sparse matrices: their shape and the places of their entries, kept by name.
 *
 * A sparse product writes rows that are small combinations of other rows in one pass, without the intermediate arrays
 * that multiplications, additions and transpositions make.
 */
import type { RowPattern } from '../ops';
import type { TensorflowBinding } from './tensorflow-binding';

/** So many patterns are kept; a run uses two or three. */
const MAX_KEPT_PATTERNS = 12;

/** Handles of the places and the shape of one sparse matrix. */
export interface PatternHandles {
  readonly indices: number;
  readonly shape: number;
}

/** The patterns used so far. */
export class RowPatterns {
  private readonly kept = new Map<string, PatternHandles>();

  /**
   * @param binding - The addon.
   */
  constructor(private readonly binding: TensorflowBinding) {}

  /**
   * The handles of a pattern; they stay owned by this object.
   *
   * @param pattern - The pattern.
   */
  of(pattern: RowPattern): PatternHandles {
    const { rows, columns } = pattern;
    const key = `${pattern.name}:${rows}:${columns}`;
    let handles = this.kept.get(key);
    if (!handles) {
      if (this.kept.size >= MAX_KEPT_PATTERNS) this.close();
      const { TF_INT64 } = this.binding;
      const places = pattern.places();
      // Integers of 64 bits cross the border as pairs, the low half first.
      const pairs = new Int32Array(places.length * 2);
      for (let at = 0; at < places.length; at++) pairs[at * 2] = places[at];
      handles = {
        indices: this.binding.createTensor([places.length / 2, 2], TF_INT64, pairs),
        shape: this.binding.createTensor([2], TF_INT64, Int32Array.of(rows, 0, columns, 0)),
      };
      this.kept.set(key, handles);
    }
    return handles;
  }

  /** Tensors held. */
  count(): number {
    return this.kept.size * 2;
  }

  /** Frees all. */
  close(): void {
    for (const { indices, shape } of this.kept.values()) {
      this.binding.deleteTensor(indices);
      this.binding.deleteTensor(shape);
    }
    this.kept.clear();
  }
}
