/** Norms of pushed columns added in float64, for columns whose squares float32 may have lost. */
import { logNorm } from '../../core/linalg/scaling';

/** Columns whose numbers can be read. */
export interface ReadableColumns {
  /** `[lanes, rows, m]` */
  readRows(state: 'h' | 'c'): ArrayLike<number>;
  /** Rows of h or of c. */
  heightOf(state: 'h' | 'c'): number;
}

/** Columns of one source in one lane. */
export interface ColumnPlace {
  readonly lane: number;
  readonly first: number;
  readonly count: number;
}

/** Norms added in float64 from the numbers themselves, which are read once when they are needed. */
export class ExactNorms {
  private readonly rows = new Map<'h' | 'c', ArrayLike<number>>();

  /**
   * @param columns - Where the numbers are.
   * @param total - m
   */
  constructor(
    private readonly columns: ReadableColumns,
    private readonly total: number,
  ) {}

  /**
   * ln of the norm of some columns, without an exponent of their own.
   *
   * @param state - Which rows.
   * @param place - Which columns.
   */
  of(state: 'h' | 'c', { lane, first, count }: ColumnPlace): number {
    let rows = this.rows.get(state);
    if (!rows) {
      rows = this.columns.readRows(state);
      this.rows.set(state, rows);
    }
    const { total } = this;
    const height = this.columns.heightOf(state);
    const block = new Float64Array(height * count);
    for (let row = 0; row < height; row++) {
      const from = (lane * height + row) * total + first;
      for (let j = 0; j < count; j++) block[row * count + j] = rows[from + j];
    }
    return logNorm(block);
  }
}
