/**
 * The constant part of the sparse matrices that sum neighbouring rows: entry (m, 2m) and (m, 2m + 1).
 *
 * One sparse product does in one pass what two multiplications and an addition do in three.
 */
import type { TensorflowBinding } from './tensorflow-binding';

/** So many sizes are kept; a run uses one or two. */
const MAX_KEPT_SIZES = 8;

/** Handles of the positions and the shape of one sparse matrix, `[M, 2M]`. */
export interface RowPairHandles {
  readonly indices: number;
  readonly shape: number;
}

/** The sparse matrices made so far, by their number of columns. */
export class RowPairs {
  private readonly kept = new Map<number, RowPairHandles>();

  /**
   * @param binding - The addon.
   */
  constructor(private readonly binding: TensorflowBinding) {}

  /**
   * The handles for `columns` = 2M rows to be summed; they stay owned by this object.
   *
   * @param columns - An even number.
   */
  of(columns: number): RowPairHandles {
    let handles = this.kept.get(columns);
    if (!handles) {
      if (this.kept.size >= MAX_KEPT_SIZES) this.close();
      const { TF_INT64 } = this.binding;
      const positions = new Int32Array(columns * 4);
      for (let column = 0; column < columns; column++) {
        positions[column * 4] = column >> 1;
        positions[column * 4 + 2] = column;
      }
      handles = {
        indices: this.binding.createTensor([columns, 2], TF_INT64, positions),
        shape: this.binding.createTensor([2], TF_INT64, Int32Array.of(columns / 2, 0, columns, 0)),
      };
      this.kept.set(columns, handles);
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
