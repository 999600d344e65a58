/** D10: how far a recurrent matrix is from an orthogonal one. */
import { singularValues } from '../linalg/decompositions';
import { frobeniusNorm } from '../linalg/scaling';

/** Two measures of the distance from orthogonality; both 0 for an orthogonal matrix. */
export interface Orthogonality {
  /** max_i |sigma_i - 1| */
  readonly margin: number;
  /** ||U^T U - I||_F */
  readonly deviation: number;
}

/**
 * max_i |sigma_i(U) - 1| and ||U^T U - I||_F, from the singular values.
 *
 * Source: D10 of method.md; Arjovsky et al. 1511.06464, Vorontsov et al. 1702.00071.
 *
 * @param matrix - `[size, size]`.
 * @param size - Rows.
 * @returns NaN when an entry is not finite.
 */
export function orthogonality(matrix: ArrayLike<number>, size: number): Orthogonality {
  const values = singularValues(matrix, size, size);
  let margin = 0;
  for (const value of values) margin = Number.isNaN(value) ? NaN : Math.max(margin, Math.abs(value - 1));
  return { margin, deviation: frobeniusNorm(values.map((value) => value * value - 1)) };
}
