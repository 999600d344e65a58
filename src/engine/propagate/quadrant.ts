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
import { TARGET_GRAM_BYTES } from './plan';
import { disposeRows, inCoordinates, squaresOf, type RowBlocks } from './row-blocks';

/** Pairs whose squared norm is below this share of the product of both squared norms are done again. */
const CERTIFIED_SHARE = 1e-4;

/** Sides of a Gram matrix are cut into blocks of about so many. */
const BLOCK_SIZE = 256;

/** Parts in which inner products of Gram matrices are added. */
const INNER_PARTS = 16;

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
    this.grams = gramBlocks(arithmetic.ops, targets.values);
  }

  /**
   * Log norms of all pairs, `[targets, sources]`.
   *
   * Numerics: products in the engine's precision; the squared norm of a pair that is not done again has a relative
   * error of a few 1e-8 / 1e-4 at most. Source: method.md 2.6 (certificate), 2.10.
   *
   * @param sources - V_s^T, `[m, rows, r]`, in the same coordinates.
   * @param grams - What `gramBlocks` gives for them.
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
    const cuts = cutsOf(grams.length);
    return ops.tidy(() => {
      let sum: Value | null = null;
      let at = 0;
      for (let i = 0; i < cuts; i++) {
        for (let j = i; j < cuts; j++, at++) {
          const product = ops.sum(ops.matMul(this.grams[at], grams[at], false, true), [0]);
          const weighted = i === j ? product : ops.mul(product, ops.constant(2));
          sum = sum ? ops.add(sum, weighted) : weighted;
        }
      }
      return Float64Array.from(this.arithmetic.read(sum!));
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
  const own = gramBlocks(ops, sources.values);
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

/** How many targets with so many columns have their Gram matrices in memory at once. */
export function targetsAtOnce(width: number, states: number): number {
  return Math.max(1, Math.floor(TARGET_GRAM_BYTES / (4 * states * width * width * 0.75)));
}

/**
 * The upper blocks of the Gram matrices v^T v of a run, each `[parts, n, columns of i * columns of j / parts]`; the
 * caller's.
 *
 * @param ops - Operations.
 * @param values - `[n, rows, r]`
 */
function gramBlocks(ops: Ops, values: Value): readonly Value[] {
  const [count, rows, width] = values.shape;
  const cuts = Math.ceil(width / BLOCK_SIZE);
  const size = Math.ceil(width / cuts);
  return ops.tidy(() => {
    const columns = Array.from({ length: cuts }, (_, i) => {
      if (cuts === 1) return values;
      return ops.slice(values, [0, 0, i * size], [count, rows, Math.min(size, width - i * size)]);
    });
    const blocks: Value[] = [];
    for (let i = 0; i < cuts; i++) {
      for (let j = i; j < cuts; j++) {
        const product = ops.matMul(columns[i], columns[j], true, false);
        blocks.push(inParts(ops, product));
      }
    }
    return blocks.map((block) => ops.keep(block));
  });
}

/**
 * Matrices `[n, a, b]` as `[parts, n, a b / parts]`: inner products of long rows are several times faster in parts, which
 * TensorFlow spreads over its threads.
 */
function inParts(ops: Ops, matrices: Value): Value {
  const [count, a, b] = matrices.shape;
  let parts = Math.min(INNER_PARTS, a);
  while (a % parts !== 0) parts--;
  const cut = ops.reshape(matrices, [count, parts, (a / parts) * b]);
  return ops.transpose(cut, [1, 0, 2]);
}

/** Cuts of a matrix with so many upper blocks. */
function cutsOf(blocks: number): number {
  return Math.round((Math.sqrt(8 * blocks + 1) - 1) / 2);
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
