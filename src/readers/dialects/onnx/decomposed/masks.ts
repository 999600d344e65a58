/**
 * Steps that a mask leaves out: the next state is m new + (1 - m) old, where m is true or false.
 */
import type { BodyValue, Trace } from './body-values';
import { isOneMinus, productsOf } from './cell-forms';
import { addForms, constantForm, formOf, soleAtom, type Atom, type LinearForm } from './linear-forms';

/** A next state without its mask. */
export interface Unmasked {
  readonly form: LinearForm | null;
  /** The part of a sequence that says which steps count; null for none. */
  readonly mask: (Atom & { readonly kind: 'input' }) | null;
}

/**
 * 1 - m; the value is known to be true or false from here on.
 *
 * @param value - What Not is applied to.
 * @param trace - The body.
 */
export function followNot(value: BodyValue | null | undefined, { masks, budget }: Trace): BodyValue | null {
  const mask = maskOf(value);
  if (!mask || value?.kind !== 'form') return null;
  masks.add(mask);
  const form = addForms(constantForm(1), value.form, -1, budget);
  return form && { kind: 'form', form, rank: value.rank };
}

/**
 * m a + (1 - m) b.
 *
 * @param inputs - Inputs of a Where.
 * @param trace - The body.
 */
export function followWhere([condition, a, b]: readonly (BodyValue | null)[], trace: Trace): BodyValue | null {
  const mask = maskOf(condition);
  if (!mask || condition?.kind !== 'form' || a?.kind !== 'form' || b?.kind !== 'form') return null;
  const not = followNot(condition, trace);
  if (not?.kind !== 'form') return null;
  const width = a.form.width ?? b.form.width;
  const kept = formOf({ kind: 'product', left: condition.form, right: a.form }, width);
  const left = formOf({ kind: 'product', left: not.form, right: b.form }, width);
  const form = addForms(kept, left, 1, trace.budget);
  return form && { kind: 'form', form, rank: a.rank };
}

/**
 * A mask as wide as the state.
 *
 * @param value - What Expand or Tile is applied to.
 */
export function followWiden(value: BodyValue | null | undefined): BodyValue | null {
  return maskOf(value) && value?.kind === 'form' ? { ...value, form: { ...value.form, width: null } } : null;
}

/**
 * What a state becomes at steps that count.
 *
 * @param form - What it becomes.
 * @param state - Its atom.
 * @param masks - What is known to be true or false.
 */
export function unmask(form: LinearForm | null, state: Atom | undefined, masks: ReadonlySet<Atom>): Unmasked {
  const products = form && productsOf(form);
  if (products?.length !== 2) return { form, mask: null };
  const [first, second] = products;
  for (const [one, other] of [
    [first, second],
    [second, first],
  ] as const) {
    if (!one || !other) continue;
    for (const [side, value] of [
      [one.left, one.right],
      [one.right, one.left],
    ] as const) {
      const mask = soleAtom(side);
      if (mask?.kind !== 'input' || !masks.has(mask)) continue;
      const old = isOneMinus(other.left, mask) ? other.right : isOneMinus(other.right, mask) ? other.left : null;
      if (old && soleAtom(old) === state) return { form: value, mask };
    }
  }
  return { form, mask: null };
}

function maskOf(value: BodyValue | null | undefined): (Atom & { readonly kind: 'input' }) | null {
  const atom = value?.kind === 'form' ? soleAtom(value.form) : null;
  return atom?.kind === 'input' ? atom : null;
}
