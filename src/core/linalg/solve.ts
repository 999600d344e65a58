/** Linear systems by elimination with row exchange, in float64. */

/**
 * Solves M x = b in place.
 *
 * Numerics: LU with partial pivoting. Source: Golub and Van Loan, Matrix Computations, 3.4.
 *
 * @param matrix - `[size, size]` row-major; used up.
 * @param vector - b, `[size]`; x afterwards.
 * @param size - Rows.
 * @returns false when the matrix is singular to working precision or not finite; `vector` is then meaningless.
 */
export function solveInPlace(matrix: Float64Array, vector: Float64Array, size: number): boolean {
  let largest = 0;
  for (const entry of matrix) largest = Math.max(largest, Math.abs(entry));
  const least = Number.EPSILON * largest;
  for (let k = 0; k < size; k++) {
    let pivot = k;
    for (let row = k + 1; row < size; row++) {
      if (Math.abs(matrix[row * size + k]) > Math.abs(matrix[pivot * size + k])) pivot = row;
    }
    if (!(Math.abs(matrix[pivot * size + k]) > least)) return false;
    if (pivot !== k) {
      for (let j = k; j < size; j++) {
        [matrix[k * size + j], matrix[pivot * size + j]] = [matrix[pivot * size + j], matrix[k * size + j]];
      }
      [vector[k], vector[pivot]] = [vector[pivot], vector[k]];
    }
    for (let row = k + 1; row < size; row++) {
      const factor = matrix[row * size + k] / matrix[k * size + k];
      if (factor === 0) continue;
      for (let j = k + 1; j < size; j++) matrix[row * size + j] -= factor * matrix[k * size + j];
      vector[row] -= factor * vector[k];
    }
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let j = row + 1; j < size; j++) vector[row] -= matrix[row * size + j] * vector[j];
    vector[row] /= matrix[row * size + row];
  }
  return true;
}
