/**
 * Kernels of other frameworks put into the canonical layout: one column block for each gate, in canonical order.
 */
import type { RealTensor } from '../../core/tensor';

/** So many rows together write whole lines of the cache. */
const TILE_ROWS = 16;

/**
 * A kernel `[G*H, K]` with a row block for each gate as `[K, G*H]` with a column block for each.
 *
 * @param kernel - `[G*H, K]`, row-major.
 * @param order - For each canonical block the number of the file's block.
 * @returns `[K, G*H]` in the precision of the file.
 */
export function transposeBlocks({ shape, data }: RealTensor, order: readonly number[]): RealTensor {
  const [rows = 0, columns = 0] = shape;
  const blockRows = rows / order.length;
  // Numbers that were not kept are not turned either.
  if (data.length === 0) return { shape: [columns, rows], data };
  const turned = data instanceof Float64Array ? new Float64Array(data.length) : new Float32Array(data.length);
  for (const [block, from] of order.entries()) {
    for (let start = 0; start < blockRows; start += TILE_ROWS) {
      const end = Math.min(start + TILE_ROWS, blockRows);
      for (let column = 0; column < columns; column++) {
        const target = column * rows + block * blockRows;
        for (let row = start; row < end; row++) {
          turned[target + row] = data[(from * blockRows + row) * columns + column] ?? NaN;
        }
      }
    }
  }
  return { shape: [columns, rows], data: turned };
}
