/** Random directions that stand for the columns of a source (method.md 2.8). */
import { sketchMatrix } from '../../core/sketch';
import type { SourceSizes } from '../../core/reference/pairs-source';
import type { Arithmetic } from './arithmetic';

/** Sources so many steps apart share their directions: drawing them costs as much as a small step. */
const PERIOD = 32;

/** Omega of a source. */
export interface Sketch {
  /** `[width, columns]` */
  readonly data: Float64Array;
  readonly columns: number;
}

/** The directions of all sources; neighbours have others, so that their errors are independent. */
export class SketchDirections {
  readonly sizes: SourceSizes;
  private readonly made = new Map<string, Sketch>();

  /**
   * @param arithmetic - Whose cell decides how wide sources are.
   * @param columns - Directions of each source.
   */
  constructor(
    { cell }: Arithmetic,
    private readonly columns: number,
  ) {
    this.sizes = cell;
  }

  /**
   * The directions of a source; null where it has no more columns than that anyway.
   *
   * @param width - Its columns.
   * @param step - Its step.
   */
  of(width: number, step: number): Sketch | null {
    const { columns, made } = this;
    if (width <= columns) return null;
    const seed = step % PERIOD;
    const key = `${width}:${seed}`;
    const known = made.get(key) ?? { data: sketchMatrix(width, columns, seed), columns };
    made.set(key, known);
    return known;
  }
}
