/**
 * What rows that are pulled have in common: they go in stretches of steps, are looked at after each, and are brought back
 * near 1 by exact powers of two, or taken back where float32 could not follow.
 */
import { binaryExponent } from '../../core/linalg/scaling';
import type { BareCell } from '../cells/tensor-cell';
import type { Ops, Value } from '../ops';
import { pullStep } from './pull-step';

/** Rows are brought back near 1 when their largest entry leaves 2^-16 .. 2^16. */
const RESCALE_EXPONENT = 16;

/** A stretch whose rows end outside 2^-60 .. 2^60 is taken back. */
const STRETCH_EXPONENT = 60;

/** So many binary digits the rows may drift in a stretch, by the speed of the one before. */
const DRIFT_EXPONENT = 24;

/** What one step needs. */
export interface PullOperands {
  readonly operator: Value;
  readonly carry: Value | null;
  readonly valid: Value | null;
}

/** Rows that are pulled stretch by stretch; see `FinalRows` and `BasisRows`. */
export interface PulledRows {
  /** Exponents of the blocks of rows at the start of a stretch. */
  readonly exponents: Int32Array;
  /** True when nothing is left that could be pulled. */
  isZero(): boolean;
  /** How many steps the next stretch may have; at least `shortest`. */
  stretch(shortest: number): number;
  /** (dtarget/dx)^T of consecutive steps, the newest first; the caller's. */
  pull(operands: readonly PullOperands[]): readonly Value[];
  /** Ends a stretch; false when it was taken back. */
  settle(): boolean;
  dispose(): void;
}

/** Steps of the next stretch, by the speed at which rows grew or shrank in the last one. */
export class StretchLength {
  private longest = 0;

  /**
   * How many steps the next stretch may have.
   *
   * @param shortest - At least so many.
   */
  of(shortest: number): number {
    return Math.max(shortest, this.longest);
  }

  /** After a stretch that went too far. */
  reset(): void {
    this.longest = 0;
  }

  /**
   * After a stretch.
   *
   * @param steps - Its length.
   * @param before - Magnitudes at its start.
   * @param now - At its end.
   */
  learn(steps: number, before: Float64Array, now: Float64Array): void {
    let drift = 0;
    now.forEach((value, at) => {
      if (isOrdinary(value) && isOrdinary(before[at])) drift = Math.max(drift, Math.abs(Math.log2(value / before[at])));
    });
    this.longest = Math.floor((DRIFT_EXPONENT * steps) / Math.max(drift, 0.1));
  }
}

/**
 * The power of two by which a magnitude is to be brought back near 1; 0 where it is near enough, or none can.
 *
 * @param magnitude - Not negative.
 */
export function shiftOf(magnitude: number): number {
  const exponent = isOrdinary(magnitude) ? binaryExponent(magnitude) : 0;
  return Math.abs(exponent) > RESCALE_EXPONENT ? exponent : 0;
}

/**
 * Whether a stretch changed rows by more than float32 can follow.
 *
 * @param before - Their magnitude at its start.
 * @param now - At its end.
 */
export function isTooFar(before: number, now: number): boolean {
  if (!isOrdinary(before)) return false;
  return !isOrdinary(now) || Math.abs(binaryExponent(now)) > STRETCH_EXPONENT;
}

/**
 * Rows after consecutive steps, and what each step gives for the input; values of the scope around.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param rows - G before the first of them; not freed.
 * @param operands - Of each step, the newest first.
 */
export function pullThrough(
  ops: Ops,
  cell: BareCell,
  rows: Value,
  operands: readonly PullOperands[],
): { readonly rows: Value; readonly inputs: readonly Value[] } {
  let current = rows;
  const inputs: Value[] = [];
  for (const { operator, carry, valid } of operands) {
    const step = pullStep(ops, cell, current, operator, carry, valid);
    if (current !== rows) ops.dispose(current);
    current = step.rows;
    inputs.push(step.input);
  }
  return { rows: current, inputs };
}

/** Neither zero nor infinite nor NaN. */
function isOrdinary(value: number): boolean {
  return value !== 0 && Number.isFinite(value);
}
