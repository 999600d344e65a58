/**
 * Kernels of other frameworks put into the canonical layout: one column block for each gate, in canonical order.
 */
import type { RealTensor } from '../../core/tensor';

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
  const turned = data instanceof Float64Array ? new Float64Array(data.length) : new Float32Array(data.length);
  for (const [block, from] of order.entries()) {
    for (let row = 0; row < blockRows; row++) {
      const source = (from * blockRows + row) * columns;
      const target = block * blockRows + row;
      for (let column = 0; column < columns; column++) {
        turned[column * rows + target] = data[source + column] ?? NaN;
      }
    }
  }
  return { shape: [columns, rows], data: turned };
}
