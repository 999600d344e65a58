/** The state as a source: columns of the identity, or random combinations of them. */
import { firstColumn, sourceWidth, type StatePart } from '../../core/reference/pairs-source';
import type { CellSizes } from '../cells/cell-sizes';
import type { Sketch } from './sketch-directions';

/**
 * The columns, cut between rows of h and rows of c where these stand apart; each `[lanes, rows, width]`.
 *
 * @param cell - Sizes of the cell.
 * @param rowSizes - Rows of each piece.
 * @param lanes - How often they are repeated.
 * @param part - Which columns of the identity.
 * @param sketch - Combinations of them that stand for them; null: the columns themselves.
 */
export function stateColumns(
  cell: CellSizes,
  rowSizes: readonly number[],
  lanes: number,
  part: StatePart,
  sketch: Sketch | null,
): readonly Float32Array[] {
  const columns = sourceWidth(cell, part);
  const width = sketch?.columns ?? columns;
  let column = -firstColumn(cell, part);
  return rowSizes.map((rows) => {
    const data = new Float32Array(lanes * rows * width);
    for (let row = 0; row < rows; row++, column++) {
      if (column < 0 || column >= columns) continue;
      if (sketch) data.set(sketch.data.subarray(column * width, (column + 1) * width), row * width);
      else data[row * width + column] = 1;
    }
    for (let lane = 1; lane < lanes; lane++) data.copyWithin(lane * rows * width, 0, rows * width);
    return data;
  });
}
