/**
 * What names stand for inside the body of a Loop or Scan, and what the following of its nodes shares.
 */
import type { RealTensor } from '../../../../core/tensor';
import type { Reading } from '../../../reading';
import type { Constants } from '../constants';
import type { OnnxNode } from '../model';
import type { Scope } from '../scope';
import type { Atom, Budget, LinearForm } from './linear-forms';
import type { TakenTensor } from './weight-roles';

/** What a name stands for inside the body. */
export type BodyValue =
  | {
      readonly kind: 'form';
      readonly form: LinearForm;
      readonly rank: number | null;
      /** The form as slope * of + offset, where numbers were multiplied and added last. */
      readonly line?: Line;
    }
  /** A line with one bound, before the other one makes it a function. */
  | {
      readonly kind: 'bounded';
      readonly line: Line;
      readonly low: number;
      readonly high: number;
      readonly rank: number | null;
    }
  | { readonly kind: 'constant'; readonly tensor: RealTensor }
  /** Forms beside one another, before the product that takes them all. */
  | { readonly kind: 'joined'; readonly parts: readonly LinearForm[]; readonly rank: number | null }
  /** The shape of a form: only its last size is known. */
  | { readonly kind: 'shape'; readonly width: number; readonly rank: number | null }
  /** The number of the step, counted from either end. */
  | { readonly kind: 'step'; readonly isReversed: boolean }
  /** A value of the graphs around that is no constant. */
  | { readonly kind: 'outer'; readonly name: string };

/** slope * of + offset. */
export interface Line {
  readonly of: LinearForm;
  readonly slope: number;
  readonly offset: number;
}

/** What the tracing of one body shares. */
export interface Trace {
  readonly layer: string;
  /** The body's. */
  readonly scope: Scope;
  readonly constants: Constants;
  readonly reading: Reading;
  readonly budget: Budget;
  readonly values: Map<string, BodyValue | null>;
  readonly inputs: Map<string, Atom>;
  /** Constants that nodes of the body take. */
  readonly taken: TakenTensor[];
  /** Names that become states. */
  readonly next: ReadonlySet<string>;
  /** Parts of sequences that are true or false. */
  readonly masks: Set<Atom>;
}

/** The output of a node; null where it cannot be followed. */
export type Follow = (node: OnnxNode, inputs: readonly (BodyValue | null)[], trace: Trace) => BodyValue | null;

/**
 * A form changed; null for what is none.
 *
 * @param value - The value.
 * @param change - The change.
 */
export function withForm(
  value: BodyValue | null | undefined,
  change: (form: LinearForm) => LinearForm | null,
): BodyValue | null {
  if (value?.kind !== 'form') return null;
  const form = change(value.form);
  return form && { kind: 'form', form, rank: value.rank };
}

/**
 * The rank of two values together; null where one is not known.
 *
 * @param a - One.
 * @param b - The other.
 */
export function ranks(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}

/**
 * Whether an axis is that of the features; without a rank the value is `[B, D]`, as bodies mostly have it.
 *
 * @param axis - The axis.
 * @param rank - Axes of the value.
 */
export function isLastAxis(axis: number, rank: number | null): boolean {
  return axis === -1 || axis === (rank ?? 2) - 1;
}
