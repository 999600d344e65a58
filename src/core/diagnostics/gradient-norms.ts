/** D1: Frobenius, row and column norms of Jacobian blocks, as natural logs. */
import { logNorm } from '../linalg/scaling';

/** Natural logs of norms of `n` blocks; -Infinity only for exact zeros. */
export interface JacobianNorms {
  /** Frobenius, `[n]`. */
  readonly total: Float64Array;
  /** Row norms (one unit over all features), `[n, H]`. */
  readonly units: Float64Array;
  /** Column norms (one feature over all units), `[n, D]`. */
  readonly features: Float64Array;
}

/** Sums of squares inside this range lost nothing; all squares of float32 numbers are inside or exactly 0. */
const SAFE_SQUARE_MIN = 1e-250;
const SAFE_SQUARE_MAX = 1e250;

/**
 * ln ||J||_F, ln of each unit's row norm and of each feature's column norm, for consecutive blocks J `[H, D]`.
 *
 * Numerics: float64 sums; float32 squares cannot underflow there, float64 blocks outside 1e-125 .. 1e125 are scaled by
 * a power of two first.
 * Source: D1 of method.md; Hochreiter 1991, Bengio et al. 1994.
 *
 * @param data - `[n, H, D]` row-major.
 * @param blocks - n.
 * @param units - H.
 * @param inputDim - D.
 * @param scales - `[n]`: the true block is the given one times 2^scale; null for ones.
 */
export function jacobianNorms(
  data: Float32Array | Float64Array,
  blocks: number,
  units: number,
  inputDim: number,
  scales: Int32Array | null = null,
): JacobianNorms {
  const norms = {
    total: new Float64Array(blocks),
    units: new Float64Array(blocks * units),
    features: new Float64Array(blocks * inputDim),
  };
  const columns = new Float64Array(inputDim);
  for (let block = 0; block < blocks; block++) {
    const start = block * units * inputDim;
    const shift = scales === null ? 0 : scales[block] * Math.LN2;
    columns.fill(0);
    let total = 0;
    for (let u = 0; u < units; u++) {
      const rowStart = start + u * inputDim;
      let row = 0;
      for (let d = 0; d < inputDim; d++) {
        const square = data[rowStart + d] * data[rowStart + d];
        row += square;
        columns[d] += square;
      }
      total += row;
      norms.units[block * units + u] = shift + (isSafe(row) ? 0.5 * Math.log(row) : logNorm(data, rowStart, inputDim));
    }
    norms.total[block] = shift + (isSafe(total) ? 0.5 * Math.log(total) : logNorm(data, start, units * inputDim));
    for (let d = 0; d < inputDim; d++) {
      const column = isSafe(columns[d]) ? 0.5 * Math.log(columns[d]) : logNorm(data, start + d, units, inputDim);
      norms.features[block * inputDim + d] = shift + column;
    }
  }
  return norms;
}

function isSafe(square: number): boolean {
  return square > SAFE_SQUARE_MIN && square < SAFE_SQUARE_MAX;
}
