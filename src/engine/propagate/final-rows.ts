/**
 * The pulled rows of some sequences with their exponents: the true rows are G times 2^exponent, for h and for c apart.
 *
 * Steps go in stretches; the largest entry is looked at after each stretch and brought back near 1 by an exact power
 * of two. A stretch in which the rows grew or shrank too far for float32 is taken back, to be done in shorter ones.
 */
import { largestMagnitude } from '../../core/linalg/scaling';
import type { BareCell } from '../cells/tensor-cell';
import type { Ops, Value } from '../ops';
import type { Arithmetic } from './arithmetic';
import { isTooFar, pullThrough, shiftOf, StretchLength, type PulledRows, type PullOperands } from './stretches';

/** The rows of `sequences` sequences. */
export class FinalRows implements PulledRows {
  /** `[R * b]`: exponent of block r of sequence i at `r * b + i`; of the rows at the start of a stretch. */
  readonly exponents: Int32Array;
  /** G, `[b, S, q]`, or `[S, q]` for one sequence; q = S targets, those of h first. */
  private rows: Value;
  /** The rows at the start of the stretch; the same value while nothing was pulled. */
  private saved: Value;
  private pulled = 0;
  private readonly length = new StretchLength();
  /** Largest entries at the start of the stretch, laid out as the exponents. */
  private readonly largest: Float64Array;
  private readonly ops: Ops;
  private readonly cell: BareCell;

  /**
   * Rows at the last state: the identity.
   *
   * @param arithmetic - Operations and cell.
   * @param sequences - b
   */
  constructor(
    private readonly arithmetic: Arithmetic,
    private readonly sequences: number,
  ) {
    const { ops, cell } = arithmetic;
    this.ops = ops;
    this.cell = cell;
    const { stateBlocks, stateSize: size } = cell;
    const identity = new Float32Array(sequences * size * size);
    for (let row = 0; row < sequences * size; row++) identity[row * size + (row % size)] = 1;
    this.rows = ops.keep(ops.upload(identity, sequences === 1 ? [size, size] : [sequences, size, size]));
    this.saved = this.rows;
    this.exponents = new Int32Array(stateBlocks * sequences);
    this.largest = new Float64Array(stateBlocks * sequences).fill(1);
  }

  /** True when nothing is left that could be pulled. */
  isZero(): boolean {
    return this.largest.every((value) => value === 0);
  }

  /**
   * How many steps the next stretch may have, by the speed at which the rows grew or shrank in the last one.
   *
   * @param shortest - At least so many.
   */
  stretch(shortest: number): number {
    return this.length.of(shortest);
  }

  /** G of one sequence as it is, `[S, q]`; stays owned by this object. */
  values(): Value {
    return this.rows;
  }

  /**
   * Pulls through consecutive steps.
   *
   * @param operands - Of each step, the newest first.
   * @returns (dtarget/dx)^T of each step, `[b, D, q]` or `[D, q]`; the caller's.
   */
  pull(operands: readonly PullOperands[]): readonly Value[] {
    const { ops, cell } = this;
    const { rows, inputs } = ops.tidy(() => pullThrough(ops, cell, this.rows, operands));
    if (this.rows !== this.saved) ops.dispose(this.rows);
    this.rows = ops.keep(rows);
    this.pulled += operands.length;
    return inputs;
  }

  /**
   * Ends a stretch: true when float32 could follow it, and the rows are near 1 again; false when it was taken back.
   * A stretch of one step is never taken back.
   */
  settle(): boolean {
    const steps = this.pulled;
    const now = this.measure();
    this.pulled = 0;
    if (steps > 1 && now.some((value, at) => isTooFar(this.largest[at], value))) {
      this.ops.dispose(this.rows);
      this.rows = this.saved;
      this.length.reset();
      return false;
    }
    this.length.learn(steps, this.largest, now);
    if (this.saved !== this.rows) this.ops.dispose(this.saved);
    this.saved = this.rows;
    this.largest.set(now);
    this.rescale();
    return true;
  }

  /** Frees the rows. */
  dispose(): void {
    if (this.saved !== this.rows) this.ops.dispose(this.saved);
    this.ops.dispose(this.rows);
  }

  /** Largest absolute entries, `[R * b]`; over the state on engine memory, over the targets here. */
  private measure(): Float64Array {
    const { arithmetic, ops, cell, sequences } = this;
    const columns = ops.tidy(() => arithmetic.read(ops.max(ops.abs(this.rows), [-2])));
    const largest = new Float64Array(cell.stateBlocks * sequences);
    for (let at = 0; at < largest.length; at++) {
      const { start, end } = this.targetsOf(at);
      largest[at] = largestMagnitude(columns, start, end);
    }
    return largest;
  }

  /** The targets of entry `at` (block, sequence) in the columns of all sequences. */
  private targetsOf(at: number): { readonly start: number; readonly end: number } {
    const { cell, sequences } = this;
    const sequence = at % sequences;
    const block = (at - sequence) / sequences;
    const start = sequence * cell.stateSize + (block === 0 ? 0 : cell.hiddenSize);
    return { start, end: start + cell.blockSizes[block] };
  }

  /** Multiplies by powers of two where the largest entry went far from 1. */
  private rescale(): void {
    const { ops, cell, sequences } = this;
    const shifts = Array.from(this.largest, shiftOf);
    if (shifts.every((shift) => shift === 0)) return;
    const targets = cell.stateSize;
    const factors = new Float64Array(sequences * targets);
    shifts.forEach((shift, at) => {
      const { start, end } = this.targetsOf(at);
      factors.fill(2 ** -shift, start, end);
      this.exponents[at] += shift;
      this.largest[at] *= 2 ** -shift;
    });
    const scaled = ops.tidy(() => {
      const shape = sequences === 1 ? [1, targets] : [sequences, 1, targets];
      return ops.mul(this.rows, ops.upload(factors, shape));
    });
    ops.dispose(this.rows);
    this.rows = this.saved = ops.keep(scaled);
  }
}
