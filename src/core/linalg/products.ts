/** Products of dense row-major matrices in float64. */

/**
 * Adds a product to a matrix, out += left right; each matrix may be a part of a wider one.
 *
 * Numerics: float64; four terms of the inner sum are added before each write, which is what makes it fast.
 *
 * @param out - `[rows, columns]` in rows of `outStride` entries.
 * @param outStride - Entries from one row of `out` to the next.
 * @param left - `[rows, inner]`.
 * @param leftStride - Entries from one row of `left` to the next.
 * @param right - `[inner, columns]`.
 * @param rightStride - Entries from one row of `right` to the next.
 * @param rows - Rows of the result.
 * @param inner - Inner size.
 * @param columns - Columns of the result.
 */
export function addProduct(
  out: Float64Array,
  outStride: number,
  left: Float64Array,
  leftStride: number,
  right: Float64Array,
  rightStride: number,
  rows: number,
  inner: number,
  columns: number,
): void {
  const unrolled = inner - (inner % 4);
  for (let row = 0; row < rows; row++) {
    const outStart = row * outStride;
    const leftStart = row * leftStride;
    for (let k = 0; k < unrolled; k += 4) {
      const l0 = left[leftStart + k];
      const l1 = left[leftStart + k + 1];
      const l2 = left[leftStart + k + 2];
      const l3 = left[leftStart + k + 3];
      const r0 = k * rightStride;
      const r1 = r0 + rightStride;
      const r2 = r1 + rightStride;
      const r3 = r2 + rightStride;
      for (let j = 0; j < columns; j++) {
        out[outStart + j] += l0 * right[r0 + j] + l1 * right[r1 + j] + l2 * right[r2 + j] + l3 * right[r3 + j];
      }
    }
    for (let k = unrolled; k < inner; k++) {
      const weight = left[leftStart + k];
      for (let j = 0; j < columns; j++) out[outStart + j] += weight * right[k * rightStride + j];
    }
  }
}

/**
 * The product of two matrices.
 *
 * @param left - `[rows, inner]`.
 * @param right - `[inner, columns]`.
 * @param rows - Rows of the result.
 * @param inner - Inner size.
 * @param columns - Columns of the result.
 * @param out - `[rows, columns]`, overwritten; a new array when left out.
 * @returns `out`.
 */
export function multiply(
  left: ArrayLike<number>,
  right: ArrayLike<number>,
  rows: number,
  inner: number,
  columns: number,
  out: Float64Array = new Float64Array(rows * columns),
): Float64Array {
  out.fill(0);
  addProduct(out, columns, toFloat64(left), inner, toFloat64(right), columns, rows, inner, columns);
  return out;
}

/** The values as they are where they are float64, else a copy. */
function toFloat64(data: ArrayLike<number>): Float64Array {
  return data instanceof Float64Array ? data : Float64Array.from(data);
}

/**
 * The transpose of a matrix.
 *
 * @param data - `[rows, columns]`.
 * @param rows - Rows.
 * @param columns - Columns.
 * @returns `[columns, rows]`.
 */
export function transpose(data: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column];
  }
  return out;
}

/**
 * The identity matrix.
 *
 * @param size - Rows.
 */
export function identity(size: number): Float64Array {
  const out = new Float64Array(size * size);
  for (let at = 0; at < size; at++) out[at * size + at] = 1;
  return out;
}

/**
 * A matrix times a vector.
 *
 * @param matrix - `[rows, columns]`.
 * @param vector - `[columns]`.
 * @param rows - Rows.
 * @returns `[rows]`.
 */
export function multiplyVector(matrix: ArrayLike<number>, vector: ArrayLike<number>, rows: number): Float64Array {
  const columns = vector.length;
  const out = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let column = 0; column < columns; column++) sum += matrix[row * columns + column] * vector[column];
    out[row] = sum;
  }
  return out;
}
