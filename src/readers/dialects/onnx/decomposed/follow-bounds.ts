/**
 * Values between two bounds, by Clip, or by Min and Max: low + (high - low) * hard_sigmoid.
 */
import type { OnnxNode } from '../model';
import type { BodyValue, Line } from './body-values';
import { formOf, scaleForm, type Atom, type Budget, type LinearForm } from './linear-forms';

/** Stored inverses of integers are float32. */
const INVERSE_GAP = 1e-6;

/**
 * A value with its lower and upper bound.
 *
 * @param node - A Clip.
 * @param inputs - Its inputs; the bounds are attributes in old operator sets.
 */
export function followClip(node: OnnxNode, [value, least, most]: readonly (BodyValue | null)[]): BodyValue | null {
  const low = numberOf(least) ?? node.attributes.get('min')?.float ?? -Infinity;
  const high = numberOf(most) ?? node.attributes.get('max')?.float ?? Infinity;
  return bound(value, low, high);
}

/**
 * A value with one bound more.
 *
 * @param inputs - A value and a number, in any order.
 * @param side - Which bound the number is.
 */
export function followBound([a, b]: readonly (BodyValue | null)[], side: 'low' | 'high'): BodyValue | null {
  const [value, number] = numberOf(b) === null ? [b, numberOf(a)] : [a, numberOf(b)];
  if (number === null) return null;
  return side === 'low' ? bound(value, number, Infinity) : bound(value, -Infinity, number);
}

/**
 * A form times a number, as a line.
 *
 * @param value - The form before.
 * @param by - The number.
 */
export function scaleLine(value: BodyValue & { readonly kind: 'form' }, by: number): Line {
  const line = value.line ?? { of: value.form, slope: 1, offset: 0 };
  return { of: line.of, slope: line.slope * by, offset: line.offset * by };
}

/**
 * A form plus a number, as a line.
 *
 * @param value - The form before.
 * @param by - The number.
 */
export function shiftLine(value: BodyValue & { readonly kind: 'form' }, by: number): Line {
  const line = value.line ?? { of: value.form, slope: 1, offset: 0 };
  return { ...line, offset: line.offset + by };
}

/**
 * The number that a form is scaled by: the inverse of an integer is stored rounded, and bounds of 0 and 6 need it whole.
 *
 * @param form - The form that is scaled.
 * @param by - As stored.
 */
export function wholeInverse(form: LinearForm, by: number): number {
  const [atom] = form.terms.keys();
  const inverse = Math.round(1 / by);
  const isBounded = form.terms.size === 1 && atom?.kind === 'activation' && atom.activation.name === 'hard_sigmoid';
  return isBounded && inverse !== 0 && Math.abs(inverse * by - 1) < INVERSE_GAP ? 1 / inverse : by;
}

/**
 * The one number of a constant, or null.
 *
 * @param value - A value.
 */
export function numberOf(value: BodyValue | null | undefined): number | null {
  if (value?.kind !== 'constant' || value.tensor.data.length !== 1) return null;
  return value.tensor.data[0] ?? null;
}

function bound(value: BodyValue | null | undefined, low: number, high: number): BodyValue | null {
  if (value?.kind === 'bounded')
    return close(value.line, Math.max(low, value.low), Math.min(high, value.high), value.rank);
  if (value?.kind !== 'form') return null;
  return close(scaleLine(value, 1), low, high, value.rank);
}

function close(line: Line, low: number, high: number, rank: number | null): BodyValue | null {
  if (!(low < high)) return null;
  if (low === -Infinity || high === Infinity) return { kind: 'bounded', line, low, high, rank };
  const range = high - low;
  const [slope, offset] = [line.slope / range, (line.offset - low) / range];
  const activation = { name: 'hard_sigmoid', slope, offset } as const;
  const atom: Atom = { kind: 'activation', activation, of: line.of };
  const { terms } = formOf(atom, null);
  const form: LinearForm = { terms, bias: 0, width: line.of.width };
  if (low === 0 && range === 1) return { kind: 'form', form, rank };
  const scaled = scaleForm(form, range, ROOM);
  return scaled && { kind: 'form', form: { ...scaled, bias: low }, rank };
}

/** One number is scaled. */
const ROOM: Budget = { numbers: Infinity };
