/**
 * The pulled rows of one sequence in a basis: G = Q U with r columns of Q instead of one for every target.
 *
 * Long products are nearly of low rank; only Q is pulled, U stays. The basis shrinks at lags that grow by a sixth. A few
 * random combinations of the targets are pulled in full beside it, and show where a truncation has come to matter
 * (method.md 2.11). The true rows of block r are Q U times 2^exponents[r].
 */
import type { Ops, Value } from '../ops';
import { Directions, isTrusted, roundUpRank } from './adaptive-rank';
import type { Arithmetic } from './arithmetic';
import { thinQr } from './row-blocks';
import { isTooFar, pullThrough, shiftOf, StretchLength, type PulledRows, type PullOperands } from './stretches';

/** The first four fifths of a basis may leave out this much of the rows of h, and of c, relative to their norm. */
const LEFT_OUT = 1e-6;

/** A residual of float32 ends at 5e-7; what the last fifth of the columns adds is far below what can be measured. */
const MEASURED_SHARE = 0.8;

/** Random combinations of each block of targets that are pulled in full. */
const PROBES = 2;

/** Lags at which a smaller basis is tried grow by this. */
const LAG_GROWTH = 7 / 6;

/** A first basis may have this share of the state's size. */
const FIRST_SHARE = 0.5;

/** What is tried next is this share of the rank. */
const NEXT_SHARE = 0.75;

/** Rows of one sequence in a basis. */
export class BasisRows implements PulledRows {
  readonly exponents: Int32Array;
  /** Largest relative difference of a probe so far. */
  probeError = 0;
  /** Whether a probe said that something was lost; the stretch that showed it was taken back. */
  isLost = false;
  private readonly ops: Ops;
  private readonly directions: Directions;
  /** `[S, r]` then the probes `[S, PROBES * R]`. */
  private columns: Value;
  private savedColumns: Value;
  /** `[r, q]` */
  private targets: Value;
  /** `[q, PROBES * R]` */
  private readonly weights: Value;
  private readonly probeExponents: Int32Array;
  private readonly largest: Float64Array;
  private readonly length = new StretchLength();
  private pulled = 0;
  private lag: number;
  private nextLag: number;

  private constructor(
    private readonly arithmetic: Arithmetic,
    basis: Value,
    targets: Value,
    weights: Value,
    probes: Value,
    exponents: Int32Array,
    lag: number,
    directions: Directions,
  ) {
    const { ops } = arithmetic;
    this.ops = ops;
    this.directions = directions;
    this.exponents = exponents;
    this.probeExponents = exponents.slice();
    this.columns = ops.keep(ops.concat([basis, probes], 1));
    ops.dispose(basis, probes);
    this.savedColumns = this.columns;
    this.targets = targets;
    this.weights = weights;
    this.lag = lag;
    this.nextLag = lag * LAG_GROWTH;
    this.largest = this.blockNorms(targets);
  }

  /**
   * The rows in a basis, or null where their rank is not small enough yet; the argument stays as it is.
   *
   * @param arithmetic - Operations and cell.
   * @param rows - G, `[S, q]`, all rows of one sequence.
   * @param exponents - Of its blocks.
   * @param lag - Steps that were pulled so far.
   */
  static from(arithmetic: Arithmetic, rows: Value, exponents: Int32Array, lag: number): BasisRows | null {
    const { ops, cell } = arithmetic;
    const directions = new Directions(ops);
    const rank = roundUpRank(FIRST_SHARE * cell.stateSize);
    const found = smallerBasis(arithmetic, directions, rows, rank);
    if (!found) return null;
    const data = new Float32Array(cell.stateSize * PROBES * cell.stateBlocks);
    const numbers = directions.numbers(data.length);
    for (let target = 0; target < cell.stateSize; target++) {
      const block = target < cell.hiddenSize ? 0 : 1;
      for (let probe = 0; probe < PROBES; probe++) {
        const at = target * PROBES * cell.stateBlocks + block * PROBES + probe;
        data[at] = numbers[at];
      }
    }
    const weights = ops.keep(ops.upload(data, [cell.stateSize, PROBES * cell.stateBlocks]));
    const probes = ops.keep(ops.matMul(rows, weights));
    return new BasisRows(arithmetic, found.basis, found.targets, weights, probes, exponents.slice(), lag, directions);
  }

  /** See `PulledRows.isZero`. */
  isZero(): boolean {
    return this.largest.every((value) => value === 0);
  }

  /** See `PulledRows.stretch`. */
  stretch(shortest: number): number {
    return this.length.of(shortest);
  }

  /** See `PulledRows.pull`. */
  pull(operands: readonly PullOperands[]): readonly Value[] {
    const { ops, arithmetic } = this;
    const { cell } = arithmetic;
    const rank = this.targets.shape[0];
    const { columns, inputs } = ops.tidy(() => {
      const pulled = pullThrough(ops, cell, this.columns, operands);
      const count = operands.length * cell.inputDim;
      const own = ops.slice(ops.concat(pulled.inputs, 0), [0, 0], [count, rank]);
      const blocks = ops.matMul(own, this.targets);
      return { columns: pulled.rows, inputs: ops.split(blocks, operands.length, 0) };
    });
    if (this.columns !== this.savedColumns) ops.dispose(this.columns);
    this.columns = ops.keep(columns);
    this.pulled += operands.length;
    return inputs;
  }

  /** See `PulledRows.settle`; also false, with `isLost`, when a probe differs. */
  settle(): boolean {
    const { ops, arithmetic } = this;
    const steps = this.pulled;
    this.pulled = 0;
    const rank = this.targets.shape[0];
    const probeCount = this.weights.shape[1];
    const [basis, probes] = ops.split(this.columns, [rank, probeCount], 1);
    const { q, r } = thinQr(arithmetic, basis);
    const targets = ops.keep(ops.matMul(r, this.targets));
    ops.dispose(basis, r);
    ops.keep(q);
    ops.keep(probes);
    const now = this.blockNorms(targets);
    const takeBack = (): false => {
      ops.dispose(q, probes, targets);
      if (this.columns !== this.savedColumns) ops.dispose(this.columns);
      this.columns = this.savedColumns;
      this.length.reset();
      return false;
    };
    if (steps > 1 && now.some((value, at) => isTooFar(this.largest[at], value))) return takeBack();
    const error = this.errorOf(q, targets, probes);
    if (!isTrusted(error)) {
      this.isLost = true;
      return takeBack();
    }
    this.probeError = Math.max(this.probeError, error);
    this.length.learn(steps, this.largest, now);
    this.lag += steps;
    this.largest.set(now);
    if (this.columns !== this.savedColumns) ops.dispose(this.columns);
    ops.dispose(this.savedColumns, this.targets);
    this.targets = targets;
    this.rescaleTargets();
    const smaller = this.shrunken(q);
    const scaled = this.rescaledProbes(probes);
    this.columns = ops.keep(ops.concat([smaller, scaled], 1));
    ops.dispose(smaller, scaled);
    this.savedColumns = this.columns;
    return true;
  }

  /** Frees the rows. */
  dispose(): void {
    const { ops } = this;
    if (this.savedColumns !== this.columns) ops.dispose(this.savedColumns);
    ops.dispose(this.columns, this.targets, this.weights);
  }

  /** A smaller basis where one is due and enough; frees the argument where it is replaced. */
  private shrunken(basis: Value): Value {
    const { ops, arithmetic } = this;
    if (this.lag < this.nextLag) return basis;
    this.nextLag = this.lag * LAG_GROWTH;
    const rank = this.targets.shape[0];
    const wanted = roundUpRank(NEXT_SHARE * rank);
    if (wanted >= rank) return basis;
    const found = smallerBasis(arithmetic, this.directions, this.targets, wanted);
    if (!found) return basis;
    const next = ops.keep(ops.matMul(basis, found.basis));
    ops.dispose(basis, found.basis, this.targets);
    this.targets = found.targets;
    return next;
  }

  /** Norms of the blocks of the targets; over the basis on engine memory, over the targets here. */
  private blockNorms(targets: Value): Float64Array {
    const { arithmetic } = this;
    const { cell } = arithmetic;
    const squares = readSquares(arithmetic, targets);
    return Float64Array.from(cell.blockSizes, (size, block) => {
      const start = block === 0 ? 0 : cell.hiddenSize;
      let sum = 0;
      for (let at = start; at < start + size; at++) sum += squares[at];
      return Math.sqrt(sum);
    });
  }

  /** Largest relative difference of Q U Z from the probes. */
  private errorOf(basis: Value, targets: Value, probes: Value): number {
    const { ops, arithmetic } = this;
    const [differences, squares] = ops.tidy(() => {
      const own = ops.matMul(basis, ops.matMul(targets, this.weights));
      const shifts = Array.from({ length: this.weights.shape[1] }, (_, at) => {
        const block = Math.floor(at / PROBES);
        return 2 ** (this.exponents[block] - this.probeExponents[block]);
      });
      const scaled = ops.mul(own, ops.upload(shifts, [1, shifts.length]));
      return [ops.sub(scaled, probes), probes].map((value) => readSquares(arithmetic, value));
    });
    let largest = 0;
    for (let at = 0; at < squares.length; at++) {
      if (differences[at] === 0) continue;
      const error = Math.sqrt(differences[at] / squares[at]);
      if (!(error <= largest)) largest = error;
    }
    return largest;
  }

  /** Brings the blocks of the targets back near 1. */
  private rescaleTargets(): void {
    const { ops, arithmetic } = this;
    const { cell } = arithmetic;
    const shifts = Array.from(this.largest, shiftOf);
    if (shifts.every((shift) => shift === 0)) return;
    const factors = new Float64Array(cell.stateSize);
    shifts.forEach((shift, block) => {
      factors.fill(2 ** -shift, block === 0 ? 0 : cell.hiddenSize, block === 0 ? cell.hiddenSize : cell.stateSize);
      this.exponents[block] += shift;
      this.largest[block] *= 2 ** -shift;
    });
    const scaled = ops.keep(ops.tidy(() => ops.mul(this.targets, ops.upload(factors, [1, cell.stateSize]))));
    ops.dispose(this.targets);
    this.targets = scaled;
  }

  /** The probes near 1; frees the argument where it is replaced. */
  private rescaledProbes(probes: Value): Value {
    const { ops, arithmetic } = this;
    const squares = readSquares(arithmetic, probes);
    const largest = Float64Array.from(this.probeExponents, (_, block) => {
      return Math.sqrt(Math.max(...squares.slice(block * PROBES, (block + 1) * PROBES)));
    });
    const shifts = Array.from(largest, shiftOf);
    if (shifts.every((shift) => shift === 0)) return probes;
    const factors = squares.map((_, at) => 2 ** -shifts[Math.floor(at / PROBES)]);
    shifts.forEach((shift, block) => (this.probeExponents[block] += shift));
    const scaled = ops.keep(ops.tidy(() => ops.mul(probes, ops.upload(factors, [1, factors.length]))));
    ops.dispose(probes);
    return scaled;
  }
}

/** G = basis targets with `rank` columns, or null where that leaves out too much of a block; values of the caller's. */
function smallerBasis(
  arithmetic: Arithmetic,
  directions: Directions,
  rows: Value,
  rank: number,
): { readonly basis: Value; readonly targets: Value } | null {
  const { ops, cell } = arithmetic;
  const [size, count] = rows.shape;
  if (rank >= size) return null;
  const made = ops.tidy(() => {
    const mixed = ops.matMul(rows, ops.transpose(directions.make(rank, count), [1, 0]));
    const { q } = thinQr(arithmetic, mixed);
    const targets = ops.matMul(q, rows, true, false);
    const measured = Math.floor(MEASURED_SHARE * rank);
    const kept = ops.matMul(ops.slice(q, [0, 0], [size, measured]), ops.slice(targets, [0, 0], [measured, count]));
    const left = readSquares(arithmetic, ops.sub(rows, kept));
    const whole = readSquares(arithmetic, rows);
    const isSmall = cell.blockSizes.every((length, block) => {
      const start = block === 0 ? 0 : cell.hiddenSize;
      let [out, all] = [0, 0];
      for (let at = start; at < start + length; at++) {
        out += left[at];
        all += whole[at];
      }
      return out <= LEFT_OUT ** 2 * all;
    });
    return isSmall ? { basis: q, targets } : null;
  });
  return made && { basis: ops.keep(made.basis), targets: ops.keep(made.targets) };
}

/** Sums of squares of the columns of a matrix. */
function readSquares(arithmetic: Arithmetic, matrix: Value): number[] {
  const { ops } = arithmetic;
  return ops.tidy(() => Array.from(arithmetic.read(ops.sum(ops.square(matrix), [0]))));
}
