/** Norms of the columns of each source, read back; small ones are added again in float64. */
import { logNorm } from '../../core/linalg/scaling';
import type { Value } from '../ops';
import type { TileShape } from './scaled-columns';

/** Sums of squares whose root is below this may have lost small terms to underflow. */
const DOUBTFUL_NORM = 2 ** -50;

/**
 * log2 of the Frobenius norm of each source's columns as they are kept, -Infinity for exact zeros.
 *
 * @param tile - Whose columns.
 * @param blocks - Values `[F_i, w D]`.
 * @returns One array `[w]` a block.
 */
export function columnNorms(tile: TileShape, blocks: readonly Value[]): readonly Float64Array[] {
  const { ops, sources, width } = tile;
  const total = sources * width;
  const norms = ops.tidy(() => {
    const rows = blocks.map((block) => ops.norm(block, [0]));
    return tile.read(rows.length === 1 ? rows[0]! : ops.concat(rows, 0));
  });
  return blocks.map((block, at) => {
    let exact: ArrayLike<number> | null = null;
    return Float64Array.from({ length: sources }, (_, k) => {
      let sum = 0;
      for (let j = at * total + k * width; j < at * total + (k + 1) * width; j++) sum += norms[j]! * norms[j]!;
      const norm = Math.sqrt(sum);
      if (norm >= DOUBTFUL_NORM || Number.isNaN(norm)) return Math.log2(norm);
      exact ??= tile.read(block);
      return exactNorm(exact, block.shape[0]!, total, k * width, width);
    });
  });
}

function exactNorm(data: ArrayLike<number>, rows: number, total: number, first: number, count: number): number {
  const block = new Float64Array(rows * count);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < count; j++) block[row * count + j] = data[row * total + first + j]!;
  }
  return logNorm(block) / Math.LN2;
}
