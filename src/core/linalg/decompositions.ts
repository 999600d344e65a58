/**
 * Singular values, QR and eigenvalues; the one file that knows ml-matrix.
 *
 * All matrices are row-major typed arrays; a matrix that is not finite gives NaN instead of an endless iteration.
 */
import { Matrix, QrDecomposition, SingularValueDecomposition } from 'ml-matrix';
import { TempogradError } from '../errors';
import { hessenbergEigenvalues } from './hessenberg-eigenvalues';

/** An eigenvalue as real and imaginary part. */
export interface Eigenvalues {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

/** A singular value decomposition, M = U diag(sigma) V^T with k = min(rows, columns). */
export interface SingularValues {
  /** `[rows, k]` */
  readonly left: Float64Array;
  /** `[k]`, descending. */
  readonly values: Float64Array;
  /** `[columns, k]` */
  readonly right: Float64Array;
}

function toMatrix(data: ArrayLike<number>, rows: number, columns: number): Matrix {
  const matrix = new Matrix(rows, columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) matrix.set(row, column, data[row * columns + column]);
  }
  return matrix;
}

function toArray(matrix: Matrix): Float64Array {
  return Float64Array.from(matrix.to1DArray());
}

function isFinite(data: ArrayLike<number>): boolean {
  for (let at = 0; at < data.length; at++) if (!Number.isFinite(data[at])) return false;
  return true;
}

/**
 * The singular values of a matrix, descending.
 *
 * @param data - `[rows, columns]` row-major.
 * @param rows - Rows.
 * @param columns - Columns.
 * @returns `[min(rows, columns)]`; NaN throughout when an entry is not finite.
 */
export function singularValues(data: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const count = Math.min(rows, columns);
  if (!isFinite(data)) return new Float64Array(count).fill(NaN);
  const svd = new SingularValueDecomposition(toMatrix(data, rows, columns), {
    computeLeftSingularVectors: false,
    computeRightSingularVectors: false,
    autoTranspose: true,
  });
  return Float64Array.from(svd.diagonal.slice(0, count));
}

/**
 * The singular value decomposition of a matrix.
 *
 * @param data - `[rows, columns]` row-major, finite.
 * @param rows - Rows.
 * @param columns - Columns.
 */
export function singularValueDecomposition(data: ArrayLike<number>, rows: number, columns: number): SingularValues {
  const svd = new SingularValueDecomposition(toMatrix(data, rows, columns), { autoTranspose: true });
  return {
    left: toArray(svd.leftSingularVectors),
    values: Float64Array.from(svd.diagonal),
    right: toArray(svd.rightSingularVectors),
  };
}

/**
 * The QR decomposition M = Q R of a matrix with at least as many rows as columns.
 *
 * @param data - `[rows, columns]` row-major, finite.
 * @param rows - Rows.
 * @param columns - Columns, at most `rows`.
 * @returns Q `[rows, columns]` with orthonormal columns, R `[columns, columns]` upper triangular.
 */
export function qr(
  data: ArrayLike<number>,
  rows: number,
  columns: number,
): { readonly q: Float64Array; readonly r: Float64Array } {
  const decomposition = new QrDecomposition(toMatrix(data, rows, columns));
  return { q: toArray(decomposition.orthogonalMatrix), r: toArray(decomposition.upperTriangularMatrix) };
}

/**
 * The eigenvalues of a square matrix, in no particular order.
 *
 * @param data - `[size, size]` row-major.
 * @param size - Rows.
 * @returns Real and imaginary parts; NaN throughout when an entry is not finite.
 * @throws TempogradError `numerics/not-converged` when an eigenvalue does not settle.
 */
export function eigenvalues(data: ArrayLike<number>, size: number): Eigenvalues {
  if (!isFinite(data)) {
    return { real: new Float64Array(size).fill(NaN), imaginary: new Float64Array(size).fill(NaN) };
  }
  const found = hessenbergEigenvalues(Float64Array.from(data), size);
  if (found) return found;
  throw new TempogradError('numerics/not-converged', `the eigenvalues of a ${size} x ${size} matrix did not settle`);
}
