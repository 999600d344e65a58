/**
 * Shapes of forms that the equations of cells are made of.
 */
import type { ActivationDescription } from '../../../../core/activations';
import type { CellDescription } from '../../../../core/model';
import { formOf, isNumber, isZero, soleAtom, type Atom, type Factor, type LinearForm } from './linear-forms';

/** A cell with what it is fed by. */
export interface MatchedCell {
  readonly cell: CellDescription;
  /** Number of the state that is h, and of the one that is c. */
  readonly hidden: number;
  readonly cellState: number | null;
  /** What x is put together from, in this order of its features. */
  readonly x: readonly Source[];
}

/** A part of x: one atom, or all those that another cell's h is the sum of. */
export type Source = readonly Atom[];

/** An activation of a sum. */
export type Gate = Extract<Atom, { kind: 'activation' }>;

/** A product of two sums. */
export type Product = Extract<Atom, { kind: 'product' }>;

/** A product, and the matrix that it is multiplied with. */
export interface Projected {
  readonly of: LinearForm;
  readonly matrix: Factor & { readonly kind: 'matrix' };
}

/**
 * A form that is nothing but a product times a matrix; null for another one.
 *
 * @param form - The form.
 */
export function projectedOf(form: LinearForm): Projected | null {
  const atom = soleAtom(form);
  if (atom?.kind === 'projection') return atom;
  const [term] = form.terms;
  if (form.terms.size !== 1 || !isZero(form.bias) || term?.[0].kind !== 'product') return null;
  const [product, matrix] = term;
  return matrix.kind === 'matrix' ? { of: formOf(product, matrix.rows), matrix } : null;
}

/**
 * The products that a form is the plain sum of; null for another form.
 *
 * @param form - The form.
 */
export function productsOf(form: LinearForm): readonly Product[] | null {
  if (!isZero(form.bias)) return null;
  const products: Product[] = [];
  for (const [atom, factor] of form.terms) {
    if (atom.kind !== 'product' || !isNumber(factor, 1)) return null;
    products.push(atom);
  }
  return products;
}

/**
 * The activation that a form is and nothing else, or null.
 *
 * @param form - The form.
 */
export function gateOf(form: LinearForm): Gate | null {
  const atom = soleAtom(form);
  return atom?.kind === 'activation' ? atom : null;
}

/**
 * Whether a form is 1 - gate.
 *
 * @param form - The form.
 * @param gate - The gate.
 */
export function isOneMinus(form: LinearForm, gate: Atom): boolean {
  return form.terms.size === 1 && isNumber(form.terms.get(gate), -1) && isZero(form.bias, 1);
}

/**
 * The two atoms of plus - minus; null for another form.
 *
 * @param form - The form.
 */
export function differenceOf(form: LinearForm): { readonly plus: Atom; readonly minus: Atom } | null {
  if (form.terms.size !== 2 || !isZero(form.bias)) return null;
  const plus = [...form.terms].find(([, factor]) => isNumber(factor, 1))?.[0];
  const minus = [...form.terms].find(([, factor]) => isNumber(factor, -1))?.[0];
  return plus && minus ? { plus, minus } : null;
}

/**
 * Whether two gates have the same function with the same parameters.
 *
 * @param first - A gate.
 * @param second - Another.
 */
export function isSame({ activation: a }: Gate, { activation: b }: Gate): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * Whether phi(-a) = 1 - phi(a).
 *
 * @param activation - The function.
 */
export function isSymmetric({ name, offset }: ActivationDescription): boolean {
  return name === 'sigmoid' || (name === 'hard_sigmoid' && offset === 0.5);
}

/**
 * Whether two plain sums are the same.
 *
 * @param a - A form.
 * @param b - Another.
 */
export function equals(a: LinearForm, b: LinearForm): boolean {
  if (a === b) return true;
  if (a.terms.size !== b.terms.size || !isZero(a.bias) || !isZero(b.bias)) return false;
  return [...a.terms].every(([atom, factor]) => isNumber(factor, 1) && isNumber(b.terms.get(atom), 1));
}

/**
 * Whether a form is the plain sum of some atoms.
 *
 * @param form - The form.
 * @param atoms - The atoms.
 */
export function isSumOf(form: LinearForm, atoms: readonly Atom[]): boolean {
  if (form.terms.size !== atoms.length || !isZero(form.bias)) return false;
  return atoms.every((atom) => isNumber(form.terms.get(atom), 1));
}
