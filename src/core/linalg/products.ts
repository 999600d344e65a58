/** Products of dense row-major matrices in float64. */

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
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < inner; k++) {
      const weight = left[row * inner + k];
      for (let column = 0; column < columns; column++) {
        out[row * columns + column] += weight * right[k * columns + column];
      }
    }
  }
  return out;
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
