/**
 * Runs of sources in a basis of the rank that they have.
 *
 * Long products of step Jacobians are nearly of low rank: all sources of a run that were carried far enough share a
 * small space. It is found by random combinations of their rows; what a truncation leaves out is measured for every
 * source, and random combinations carried in full beside the run show later whether what was left out has come to
 * matter (method.md 2.11).
 */
import type { Ops, Value } from '../ops';
import type { Arithmetic } from './arithmetic';
import { disposeRows, makeRowBlocks, thinQr, type RowBlocks } from './row-blocks';

/** A truncation may leave out this much of any source, relative to its norm. */
const LEFT_OUT = 2e-7;

/** Random directions by which what is left out is measured. */
const MEASURED_DIRECTIONS = 8;

/** A run in which a probe differs by more from the full one has lost something that matters. */
const PROBE_TOLERANCE = 1e-4;

/** A rank above this share of the state is not worth a basis. */
const WORTHWHILE_SHARE = 0.5;

/** Ranks are multiples of this, so that few shapes occur. */
const RANK_STEP = 16;

/** One random combination of the rows of each source, carried in full beside the run. */
export interface Probes {
  /** `[n, 1, rows]`, the combinations. */
  readonly weights: Value;
  /** `[n, 1, S]`, the combined rows, each with an exponent of its own. */
  readonly rows: RowBlocks;
}

/** Makes random matrices in the order in which they are asked for, the same in every run. */
export class Directions {
  private state = 1;

  /**
   * @param ops - Operations.
   */
  constructor(private readonly ops: Ops) {}

  /** `[rows, columns]` of uniform numbers, each row of about unit length; the caller's. */
  make(rows: number, columns: number): Value {
    const scale = Math.sqrt(3 / columns);
    return this.ops.upload(
      this.numbers(rows * columns).map((value) => value * scale),
      [rows, columns],
    );
  }

  /** Uniform numbers between -1 and 1. */
  numbers(count: number): Float32Array {
    // Knuth's linear generator of 32 bits: good enough to mix rows, and fast.
    const data = new Float32Array(count);
    let { state } = this;
    for (let at = 0; at < count; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      data[at] = state / 2 ** 31;
    }
    this.state = state;
    return data;
  }
}

/**
 * The run in a smaller basis, or null where its rank is not small enough; the argument stays as it is.
 *
 * @param arithmetic - Operations.
 * @param directions - Random numbers.
 * @param blocks - Sources in all of the space or in a basis.
 * @param guess - Smallest rank that is tried.
 */
export function compress(
  arithmetic: Arithmetic,
  directions: Directions,
  blocks: RowBlocks,
  guess: number,
): RowBlocks | null {
  const { ops } = arithmetic;
  const { first, count, values, basis, exponents } = blocks;
  const [, rows, width] = values.shape;
  const stateSize = basis ? basis.shape[1] : width;
  const most = Math.min(basis ? width - RANK_STEP : WORTHWHILE_SHARE * stateSize, count * rows);
  for (let rank = roundUpRank(guess); rank <= most; rank = roundUpRank(1.5 * rank)) {
    const made = ops.tidy(() => {
      const flat = ops.reshape(values, [count * rows, width]);
      const space = ops.matMul(directions.make(rank, count * rows), flat);
      const { q } = thinQr(arithmetic, ops.transpose(space, [1, 0]));
      const inside = ops.matMul(flat, q);
      if (!isAllInside(arithmetic, directions, blocks, q, inside)) return null;
      const turned = ops.transpose(q, [1, 0]);
      return {
        values: ops.reshape(inside, [count, rows, rank]),
        basis: basis ? ops.matMul(turned, basis) : turned,
      };
    });
    if (!made) continue;
    return makeRowBlocks(arithmetic, first, ops.keep(made.values), ops.keep(made.basis), exponents.slice());
  }
  return null;
}

/** Whether what a basis leaves out of each source is small, measured along random directions. */
function isAllInside(
  arithmetic: Arithmetic,
  directions: Directions,
  { count, values, squares }: RowBlocks,
  basis: Value,
  inside: Value,
): boolean {
  const { ops } = arithmetic;
  const [, rows, width] = values.shape;
  const left = ops.tidy(() => {
    const along = ops.transpose(directions.make(MEASURED_DIRECTIONS, width), [1, 0]);
    const whole = ops.matMul(ops.reshape(values, [count * rows, width]), along);
    const kept = ops.matMul(inside, ops.matMul(basis, along, true, false));
    return arithmetic.read(
      ops.sum(ops.square(ops.reshape(ops.sub(whole, kept), [count, rows * MEASURED_DIRECTIONS])), [1]),
    );
  });
  // A direction has unit length in `width` dimensions and meets 1/width of the squares.
  const whole = width / MEASURED_DIRECTIONS;
  return squares.every((square, source) => left[source] * whole <= LEFT_OUT ** 2 * square);
}

/**
 * Probes of a run that is still in all of the space; the run stays as it is.
 *
 * @param arithmetic - Operations.
 * @param directions - Random numbers.
 * @param blocks - The run.
 */
export function makeProbes(arithmetic: Arithmetic, directions: Directions, blocks: RowBlocks): Probes {
  const { ops } = arithmetic;
  const { first, count, values, exponents } = blocks;
  const rows = values.shape[1];
  const weights = ops.keep(ops.tidy(() => ops.reshape(directions.make(count, rows), [count, 1, rows])));
  const combined = ops.keep(ops.matMul(weights, values));
  return { weights, rows: makeRowBlocks(arithmetic, first, combined, null, exponents.slice()) };
}

/**
 * The largest relative difference between a probe and what the run itself gives for it.
 *
 * @param arithmetic - Operations.
 * @param blocks - The run, carried as far as its probes.
 * @param probes - Of the run.
 */
export function probeError(arithmetic: Arithmetic, blocks: RowBlocks, { weights, rows }: Probes): number {
  const { ops } = arithmetic;
  const { count, values, basis, exponents } = blocks;
  const width = values.shape[2];
  const scales = Array.from(exponents, (exponent, k) => 2 ** (exponent - rows.exponents[k]));
  const differences = ops.tidy(() => {
    const combined = ops.reshape(ops.matMul(weights, values), [count, width]);
    const own = basis ? ops.matMul(combined, basis) : combined;
    const full = ops.reshape(rows.values, own.shape);
    return arithmetic.read(ops.sum(ops.square(ops.sub(ops.mul(own, ops.upload(scales, [count, 1])), full)), [1]));
  });
  let largest = 0;
  for (let k = 0; k < count; k++) {
    const error = differences[k] === 0 ? 0 : Math.sqrt(differences[k] / rows.squares[k]);
    if (!(error <= largest)) largest = error;
  }
  return largest;
}

/**
 * Two neighbouring runs in one basis, the one of both together; the arguments stay as they are.
 *
 * @param arithmetic - Operations.
 * @param earlier - In a basis.
 * @param later - In a basis, the sources that follow.
 */
export function joinRuns(arithmetic: Arithmetic, earlier: RowBlocks, later: RowBlocks): RowBlocks {
  const { ops } = arithmetic;
  const made = ops.tidy(() => {
    const stacked = ops.concat([earlier.basis!, later.basis!], 0);
    const { q } = thinQr(arithmetic, ops.transpose(stacked, [1, 0]));
    const parts = [earlier, later].map(({ values, basis, count }) => {
      const [, rows, width] = values.shape;
      const turned = ops.matMul(ops.reshape(values, [count * rows, width]), ops.matMul(basis!, q));
      return ops.reshape(turned, [count, rows, q.shape[1]]);
    });
    return { values: ops.concat(parts, 0), basis: ops.transpose(q, [1, 0]) };
  });
  const exponents = Int32Array.from([...earlier.exponents, ...later.exponents]);
  return makeRowBlocks(arithmetic, earlier.first, ops.keep(made.values), ops.keep(made.basis), exponents);
}

/**
 * The probes of two neighbouring runs as those of one; frees the arguments.
 *
 * @param arithmetic - Operations.
 * @param earlier - Of the earlier run.
 * @param later - Of the later run.
 */
export function joinProbes(arithmetic: Arithmetic, earlier: Probes, later: Probes): Probes {
  const { ops } = arithmetic;
  const weights = ops.keep(ops.concat([earlier.weights, later.weights], 0));
  const values = ops.keep(ops.concat([earlier.rows.values, later.rows.values], 0));
  const exponents = Int32Array.from([...earlier.rows.exponents, ...later.rows.exponents]);
  const joined = { weights, rows: makeRowBlocks(arithmetic, earlier.rows.first, values, null, exponents) };
  disposeProbes(arithmetic, earlier);
  disposeProbes(arithmetic, later);
  return joined;
}

/**
 * Frees probes.
 *
 * @param arithmetic - Operations.
 * @param probes - The probes.
 */
export function disposeProbes(arithmetic: Arithmetic, { weights, rows }: Probes): void {
  arithmetic.ops.dispose(weights);
  disposeRows(arithmetic, [rows]);
}

/**
 * Whether a probe error says that a run is still right.
 *
 * @param error - What `probeError` gave.
 */
export function isTrusted(error: number): boolean {
  return error <= PROBE_TOLERANCE;
}

/**
 * The next rank that is tried, from a wanted one.
 *
 * @param rank - Wanted.
 */
export function roundUpRank(rank: number): number {
  return Math.max(RANK_STEP, Math.ceil(rank / RANK_STEP) * RANK_STEP);
}
