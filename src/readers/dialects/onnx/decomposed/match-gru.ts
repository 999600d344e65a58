/**
 * h' = z h + (1 - z) n in the ways in which it is written: also n + z (h - n), and h + u (n - h) with u = 1 - z.
 */
import type { RealTensor } from '../../../../core/tensor';
import {
  differenceOf,
  gateOf,
  isOneMinus,
  isSame,
  isSymmetric,
  type Gate,
  type MatchedCell,
  type Product,
} from './cell-forms';
import { biasOf, concat, inputsOf, negate, row, sizesOf, tensorOf, weightsOf } from './gate-weights';
import {
  isNumber,
  isZero,
  matrixOf,
  soleAtom,
  type Atom,
  type Budget,
  type Factor,
  type LinearForm,
} from './linear-forms';

/**
 * The GRU that a state's next value is; null for another cell.
 *
 * @param state - Its atom.
 * @param hidden - Its number.
 * @param form - What it becomes.
 * @param next - What all states become.
 * @param budget - What may still be computed.
 */
export function matchGru(
  state: Atom,
  hidden: number,
  form: LinearForm,
  next: readonly (LinearForm | null)[],
  budget: Budget,
): MatchedCell | null {
  const parts = gruParts(state, form);
  const units = form.width;
  if (!parts || units === null) return null;
  const { update, isInverse, candidate } = parts;
  const reset = resetOf(candidate.of, state, units, budget);
  if (!reset || !isSame(update, reset.gate)) return null;
  if (isInverse && !isSymmetric(update.activation)) return null;
  const x = inputsOf([update.of, reset.gate.of, reset.rest], [state], next);
  if (!x) return null;
  const z = weightsOf(update.of, x, state, null, units, budget);
  const r = weightsOf(reset.gate.of, x, state, null, units, budget);
  const n = weightsOf(reset.rest, x, null, null, units, budget);
  if (!z || !r || !n) return null;
  const blocks = [isInverse ? negate(z) : z, r, { ...n, recurrent: reset.recurrent }];
  const bias = concat(blocks.map((block) => block.bias));
  const inner = new Float64Array(3 * units);
  if (reset.bias) inner.set(reset.bias, 2 * units);
  return {
    cell: {
      kind: 'GRU',
      ...sizesOf(blocks, units),
      bias: reset.bias ? { shape: [2, 3 * units], data: concat([bias, inner]) } : row(bias),
      activation: candidate.activation,
      recurrentActivation: update.activation,
      resetAfter: reset.bias !== null,
      clip: null,
    },
    hidden,
    cellState: null,
    x,
  };
}

/** z and n; `isInverse` where the step's gate is 1 - z. */
function gruParts(
  state: Atom,
  form: LinearForm,
): { readonly update: Gate; readonly isInverse: boolean; readonly candidate: Gate } | null {
  if (!isZero(form.bias)) return null;
  const products = [...form.terms.keys()].filter((atom): atom is Product => atom.kind === 'product');
  const rest = [...form.terms.keys()].filter((atom) => atom.kind !== 'product');
  if (![...form.terms.values()].every((factor) => isNumber(factor, 1))) return null;
  if (products.length === 2 && rest.length === 0) return gruOfTwoProducts(state, products);
  const [product] = products;
  const [alone] = rest;
  if (products.length !== 1 || rest.length !== 1 || !product || !alone) return null;
  for (const [one, other] of [
    [product.left, product.right],
    [product.right, product.left],
  ] as const) {
    const gate = gateOf(one);
    const gap = gate && differenceOf(other);
    if (!gap) continue;
    // n + z (h - n), or h + u (n - h).
    const isKept = gap.plus === state && gap.minus === alone && alone.kind === 'activation';
    if (isKept) return { update: gate, isInverse: false, candidate: alone };
    if (alone === state && gap.minus === state && gap.plus.kind === 'activation') {
      return { update: gate, isInverse: true, candidate: gap.plus };
    }
  }
  return null;
}

function gruOfTwoProducts(state: Atom, products: readonly Product[]) {
  const kept = products.find(({ left, right }) => soleAtom(left) === state || soleAtom(right) === state);
  const added = products.find((product) => product !== kept);
  if (!kept || !added) return null;
  const factor = soleAtom(kept.left) === state ? kept.right : kept.left;
  for (const [one, other] of [
    [added.left, added.right],
    [added.right, added.left],
  ] as const) {
    const candidate = gateOf(other);
    if (!candidate) continue;
    const update = gateOf(factor);
    if (update && isOneMinus(one, update)) return { update, isInverse: false, candidate };
    const inverse = gateOf(one);
    if (inverse && isOneMinus(factor, inverse)) return { update: inverse, isInverse: true, candidate };
  }
  return null;
}

interface Reset {
  readonly gate: Gate;
  readonly recurrent: RealTensor;
  /** b_rn with reset after, null with reset before. */
  readonly bias: Float64Array | null;
  /** The candidate's pre-activation without its recurrent part. */
  readonly rest: LinearForm;
}

/** r (U h + b) inside the candidate, or U (r h). */
function resetOf(form: LinearForm, state: Atom, units: number, budget: Budget): Reset | null {
  const products = [...form.terms].filter((term): term is [Product, Factor] => term[0].kind === 'product');
  const found = products.find(([{ left, right }]) => [left, right].some((side) => gateOf(side)?.of.terms.has(state)));
  if (!found) return null;
  const [product, factor] = found;
  const rest = { ...form, terms: new Map([...form.terms].filter(([atom]) => atom !== product)) };
  for (const [one, other] of [
    [product.left, product.right],
    [product.right, product.left],
  ] as const) {
    const gate = gateOf(one);
    if (!gate) continue;
    if (soleAtom(other) === state) {
      const matrix = matrixOf(factor, units, budget);
      return matrix && { gate, recurrent: tensorOf(matrix), bias: null, rest };
    }
    const own = other.terms.get(state);
    if (!own || other.terms.size !== 1 || !isNumber(factor, 1)) continue;
    const matrix = matrixOf(own, units, budget);
    return matrix && { gate, recurrent: tensorOf(matrix), bias: biasOf(other, units), rest };
  }
  return null;
}
