/**
 * Norms of all products of some targets with some sources, without forming them.
 *
 * ||P V||_F^2 is the inner product of P^T P and V V^T: with one Gram matrix for each target and each source a whole
 * rectangle of pairs is one product of inner dimension r^2, of which symmetry leaves the upper blocks. Where two Gram
 * matrices are nearly orthogonal digits cancel; such pairs are found by their certificate and done again one by one
 * (method.md 2.6, 2.10).
 */
import type { PairsSource } from '../../core/reference/propagate-pairs';
import type { Ops, Value } from '../ops';
import type { Pace } from '../pace';
import type { Arithmetic } from './arithmetic';
import { NormRows } from './norm-rows';
import type { PairsBlock } from './pairs-times';
import { disposeRows, inCoordinates, squaresOf, type RowBlocks } from './row-blocks';

/** Pairs whose squared norm is below this share of the product of both squared norms are done again. */
const CERTIFIED_SHARE = 1e-4;

/** A Gram matrix is cut into strips of about so many rows, but not into more than so many strips. */
const STRIP_ROWS = 128;
const MOST_STRIPS = 4;

/** Targets with their Gram matrices, to be met by one run of sources after the other. */
class GramTargets {
  private readonly grams: readonly Value[];

  /**
   * @param arithmetic - Operations.
   * @param targets - P_t, `[n, rows, r]`; not owned.
   */
  constructor(
    private readonly arithmetic: Arithmetic,
    private readonly targets: RowBlocks,
  ) {
    this.grams = gramStrips(arithmetic.ops, targets.values, 1);
  }

  /**
   * Log norms of all pairs, `[targets, sources]`.
   *
   * Numerics: products in the engine's precision; the squared norm of a pair that is not done again has a relative
   * error of a few 1e-8 / 1e-4 at most. Source: method.md 2.6 (certificate), 2.10.
   *
   * @param sources - V_s^T, `[m, rows, r]`, in the same coordinates.
   * @param grams - What `gramStrips` gives for them with the factor 2.
   */
  norms(sources: RowBlocks, grams: readonly Value[]): Float64Array {
    const { arithmetic, targets } = this;
    const squares = this.squares(grams);
    const norms = new Float64Array(squares.length);
    for (let t = 0; t < targets.count; t++) {
      const row = squares.subarray(t * sources.count, (t + 1) * sources.count);
      const doubtful: number[] = [];
      for (let s = 0; s < sources.count; s++) {
        const bound = targets.squares[t] * sources.squares[s];
        if (bound === 0) row[s] = 0;
        else if (!(row[s] >= CERTIFIED_SHARE * bound)) doubtful.push(s);
      }
      redo(arithmetic, targets.values, sources.values, t, doubtful, row);
      for (let s = 0; s < sources.count; s++) {
        const exponent = targets.exponents[t] + sources.exponents[s];
        norms[t * sources.count + s] = 0.5 * Math.log(row[s]) + (row[s] === 0 ? 0 : exponent * Math.LN2);
      }
    }
    return norms;
  }

  /** Frees the Gram matrices. */
  dispose(): void {
    this.arithmetic.ops.dispose(...this.grams);
  }

  /** Inner products of the Gram matrices of all pairs. */
  private squares(grams: readonly Value[]): Float64Array {
    const { ops } = this.arithmetic;
    return ops.tidy(() => {
      const products = this.grams.map((strip, at) => ops.matMul(strip, grams[at], false, true));
      return Float64Array.from(this.arithmetic.read(products.reduce((sum, product) => ops.add(sum, product))));
    });
  }
}

/** Sources that lie at the state from which some targets start. */
export interface CarriedSources {
  readonly source: PairsSource;
  readonly blocks: RowBlocks;
}

/**
 * Blocks of norms of all targets by all sources.
 *
 * @param arithmetic - Operations.
 * @param targets - The rows of h, and of c where there is one.
 * @param carried - The sources.
 * @param pace - Lets messages in.
 */
export async function* meetAll(
  arithmetic: Arithmetic,
  targets: readonly RowBlocks[],
  carried: readonly CarriedSources[],
  pace: Pace,
): AsyncGenerator<PairsBlock, void, void> {
  if (targets.length === 0 || carried.length === 0) return;
  const { first: firstTarget, count } = targets[0];
  const whole = targets.map((rows) => new GramTargets(arithmetic, rows));
  try {
    for (const { source, blocks } of carried) {
      const [h, c = null] = await meet(arithmetic, targets, whole, blocks, pace);
      const { first: firstSource, count: sources } = blocks;
      const rows = new NormRows(sources);
      for (let t = 0; t < count; t++) rows.add(h, c, t * sources, sources);
      yield { source, firstTarget, targets: count, firstSource, sources, ...rows.arrays(source, sources) };
      await pace.breathe();
    }
  } finally {
    for (const grams of whole) grams.dispose();
  }
}

/** Norms of the targets of each state by one run of sources; a run in a basis meets the targets in its coordinates. */
async function meet(
  arithmetic: Arithmetic,
  targets: readonly RowBlocks[],
  whole: readonly GramTargets[],
  sources: RowBlocks,
  pace: Pace,
): Promise<readonly Float64Array[]> {
  const { ops } = arithmetic;
  const own = gramStrips(ops, sources.values, 2);
  await pace.breathe();
  try {
    const { basis } = sources;
    if (!basis) return whole.map((grams) => grams.norms(sources, own));
    return targets.map((rows) => {
      const turned = inCoordinates(arithmetic, rows, basis);
      const grams = new GramTargets(arithmetic, turned);
      const norms = grams.norms(sources, own);
      grams.dispose();
      disposeRows(arithmetic, [turned]);
      return norms;
    });
  } finally {
    ops.dispose(...own);
  }
}

/**
 * The share of a Gram matrix that its strips hold.
 *
 * @param width - Rows of the matrix.
 */
export function gramShare(width: number): number {
  const strips = stripsOf(width);
  return (1 + 1 / strips) / 2;
}

function stripsOf(width: number): number {
  return Math.min(MOST_STRIPS, Math.ceil(width / STRIP_ROWS));
}

/**
 * Strips of the Gram matrices v^T v of a run, from the diagonal to the right: the inner product of two such matrices is
 * that of their strips, where those of one side count what lies beyond the diagonal block twice. Each is
 * `[1, n, rows * columns]`; the caller's.
 *
 * @param ops - Operations.
 * @param values - `[n, rows, r]`
 * @param beyond - By what everything beyond the diagonal blocks is multiplied.
 */
function gramStrips(ops: Ops, values: Value, beyond: 1 | 2): readonly Value[] {
  const [count, rows, width] = values.shape;
  const size = Math.ceil(width / stripsOf(width));
  return ops.tidy(() => {
    const columns = (begin: number, end: number): Value => {
      return end - begin === width ? values : ops.slice(values, [0, 0, begin], [count, rows, end - begin]);
    };
    const strips: Value[] = [];
    for (let begin = 0; begin < width; begin += size) {
      const end = Math.min(begin + size, width);
      const own = columns(begin, end);
      let right = end === width ? own : columns(begin, width);
      if (beyond !== 1 && end < width) {
        const weights = new Float32Array(width - begin).fill(beyond).fill(1, 0, end - begin);
        right = ops.mul(right, ops.upload(weights, [1, 1, width - begin]));
      }
      const strip = ops.matMul(own, right, true, false);
      strips.push(ops.keep(ops.reshape(strip, [1, count, (end - begin) * (width - begin)])));
    }
    return strips;
  });
}

/** Squared norms of one target with some sources from the products themselves. */
function redo(
  arithmetic: Arithmetic,
  left: Value,
  right: Value,
  target: number,
  sources: readonly number[],
  out: Float64Array,
): void {
  if (sources.length === 0) return;
  const { ops } = arithmetic;
  const [, rows, width] = left.shape;
  const [, sourceRows] = right.shape;
  const products = ops.keep(
    ops.tidy(() => {
      const own = ops.reshape(ops.slice(left, [target, 0, 0], [1, rows, width]), [rows, width]);
      const picked = ops.gather(right, ops.uploadInts(sources, [sources.length]), 0);
      const flat = ops.reshape(picked, [sources.length * sourceRows, width]);
      return ops.reshape(ops.matMul(flat, own, false, true), [sources.length, sourceRows, rows]);
    }),
  );
  const squares = squaresOf(arithmetic, products);
  ops.dispose(products);
  sources.forEach((s, at) => {
    out[s] = squares[at];
  });
}
