/**
 * The pulled rows of some sequences with their exponents: the true rows are G times 2^exponent, for h and for c apart.
 *
 * Steps go in groups; the largest entry is looked at after each group and brought back near 1 by an exact power of
 * two. A group in which the rows grew or shrank too far for float32 is done again in halves.
 */
import { binaryExponent, largestMagnitude } from '../../core/linalg/scaling';
import type { TensorCell } from '../cells/tensor-cell';
import type { RealArray } from '../engine';
import type { Ops, Value } from '../ops';
import { pullStep } from './pull-step';

/** Rows are brought back near 1 when their largest entry leaves 2^-16 .. 2^16. */
const RESCALE_EXPONENT = 16;

/** A group whose rows end outside 2^-60 .. 2^60 is done again in halves. */
const GROUP_EXPONENT = 60;

/** What one step of a group needs. */
export interface PullOperands {
  readonly operator: Value;
  readonly carry: Value | null;
  readonly valid: Value | null;
}

/** Receives (dtarget/dx)^T of consecutive steps, each `[b, D, q]`, and the exponents `[R * b]` that belong to them. */
export type InputSink = (inputs: readonly Value[], first: number, exponents: Int32Array) => void;

/** The rows of `sequences` sequences between two groups. */
export class FinalRows {
  /** G, `[b, S, q]`, or `[S, q]` for one sequence; q = S targets, those of h first. */
  private rows: Value;
  /** `[R * b]`: of block r of sequence i at `r * b + i`. */
  private readonly exponents: Int32Array;
  /** Largest entries, laid out alike. */
  private largest: RealArray;

  /**
   * Rows at the last state: the identity.
   *
   * @param ops - Operations.
   * @param cell - The cell.
   * @param sequences - b
   */
  constructor(
    private readonly ops: Ops,
    private readonly cell: TensorCell,
    private readonly sequences: number,
  ) {
    const { units, stateBlocks } = cell;
    const size = units * stateBlocks;
    const identity = new Float64Array(sequences * size * size);
    for (let i = 0; i < sequences; i++) {
      for (let target = 0; target < size; target++) {
        const row = cell.stateRow(Math.floor(target / units), target % units);
        identity[(i * size + row) * size + target] = 1;
      }
    }
    this.rows = ops.keep(ops.upload(identity, sequences === 1 ? [size, size] : [sequences, size, size]));
    this.exponents = new Int32Array(stateBlocks * sequences);
    this.largest = new Float64Array(stateBlocks * sequences).fill(1);
  }

  /** True when nothing is left that could be pulled. */
  isZero(): boolean {
    return this.largest.every((value) => value === 0);
  }

  /**
   * Pulls through consecutive steps.
   *
   * @param operands - Of each step, the newest first.
   * @param sink - Gets what comes out, in order; the values are freed afterwards.
   * @param first - Number of the first step for the sink.
   */
  pull(operands: readonly PullOperands[], sink: InputSink, first = 0): void {
    const { ops, cell } = this;
    const { rows, inputs } = ops.tidy(() => {
      let current = this.rows;
      const collected: Value[] = [];
      for (const { operator, carry, valid } of operands) {
        const pulled = pullStep(ops, cell, current, operator, carry, valid);
        if (current !== this.rows) ops.dispose(current);
        current = pulled.rows;
        collected.push(pulled.input);
      }
      return { rows: current, inputs: collected };
    });
    const largest = this.measure(rows);
    if (operands.length > 1 && this.isTooFar(largest)) {
      ops.dispose(rows, ...inputs);
      const half = operands.length >> 1;
      this.pull(operands.slice(0, half), sink, first);
      this.pull(operands.slice(half), sink, first + half);
      return;
    }
    sink(inputs, first, this.exponents);
    ops.dispose(this.rows, ...inputs);
    this.rows = ops.keep(rows);
    this.largest = largest;
    this.rescale();
  }

  /** Frees the rows. */
  dispose(): void {
    this.ops.dispose(this.rows);
  }

  /** Largest absolute entries, `[R * b]`; over the state on engine memory, over the targets here. */
  private measure(rows: Value): RealArray {
    const { ops, cell, sequences } = this;
    const { stateBlocks, units } = cell;
    const columns = ops.tidy(() => ops.read(ops.max(ops.abs(rows), [-2])));
    const largest = new Float64Array(stateBlocks * sequences);
    for (let at = 0; at < largest.length; at++) {
      const sequence = at % sequences;
      const start = (sequence * stateBlocks + (at - sequence) / sequences) * units;
      largest[at] = largestMagnitude(columns, start, start + units);
    }
    return largest;
  }

  /** Whether a group changed some rows by more than float32 can follow. */
  private isTooFar(largest: RealArray): boolean {
    return largest.some((value, at) => {
      const before = this.largest[at];
      if (before === 0 || !Number.isFinite(before)) return false;
      if (!Number.isFinite(value)) return true;
      return value === 0 || Math.abs(binaryExponent(value)) > GROUP_EXPONENT;
    });
  }

  /** Multiplies by powers of two where the largest entry went far from 1. */
  private rescale(): void {
    const { ops, cell, sequences } = this;
    const { stateBlocks, units } = cell;
    const shifts = Array.from(this.largest, (value) => {
      if (value === 0 || !Number.isFinite(value)) return 0;
      const exponent = binaryExponent(value);
      return Math.abs(exponent) > RESCALE_EXPONENT ? exponent : 0;
    });
    if (shifts.every((shift) => shift === 0)) return;
    const targets = units * stateBlocks;
    const factors = new Float64Array(sequences * targets);
    const largest = this.largest;
    shifts.forEach((shift, at) => {
      const sequence = at % sequences;
      const block = (at - sequence) / sequences;
      const start = sequence * targets + block * units;
      factors.fill(2 ** -shift, start, start + units);
      this.exponents[at] += shift;
      largest[at] *= 2 ** -shift;
    });
    const scaled = ops.tidy(() => {
      const shape = sequences === 1 ? [1, targets] : [sequences, 1, targets];
      return ops.mul(this.rows, ops.upload(factors, shape));
    });
    ops.dispose(this.rows);
    this.rows = ops.keep(scaled);
  }
}
