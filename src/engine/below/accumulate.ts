/** Products of blocks in either precision, summed in float64. */
import { addProduct } from '../../core/linalg/products';
import type { RealArray } from '../engine';

/**
 * Adds a product to a block, out += factor a b.
 *
 * @param out - `[rows, columns]`
 * @param a - `[rows, inner]`
 * @param b - `[inner, columns]`
 * @param rows - Rows.
 * @param inner - Inner size.
 * @param columns - Columns.
 * @param factor - Of `a`.
 */
export function accumulate(
  out: Float64Array,
  a: RealArray,
  b: Float64Array,
  rows: number,
  inner: number,
  columns: number,
  factor = 1,
): void {
  const left = a instanceof Float64Array && factor === 1 ? a : Float64Array.from(a, (value) => value * factor);
  addProduct(out, columns, left, inner, b, columns, rows, inner, columns);
}
