/**
 * Forms of a step -> the cell that they are: SimpleRNN, LSTM or GRU, whatever operators they were written with.
 *
 * LSTM: c' = f c + i g, h' = o psi(c'). GRU: h' = z h + (1 - z) n, also as n + z (h - n) and with z for 1 - z.
 */
import type { ActivationDescription } from '../../../../core/activations';
import { PLAIN_LSTM, type CellDescription } from '../../../../core/model';
import type { RealTensor } from '../../../../core/tensor';
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

/** A cell with what it is fed by. */
export interface MatchedCell {
  readonly cell: CellDescription;
  /** Number of the state that is h, and of the one that is c. */
  readonly hidden: number;
  readonly cellState: number | null;
  /** What x is put together from, in this order of its features. */
  readonly x: readonly Atom[];
}

/** Names of the gates where the step has them. */
type Gate = Extract<Atom, { kind: 'activation' }>;

/** The kernel of one gate, by columns of this gate. */
interface GateWeights {
  readonly kernel: RealTensor;
  readonly recurrent: RealTensor;
  readonly bias: Float64Array;
  readonly diagonal: Float64Array | null;
}

/**
 * The cells of a step: one for each state that is an h.
 *
 * @param states - Atoms of the states.
 * @param next - What each becomes; null where it could not be followed.
 * @param budget - What may still be computed.
 */
export function matchCells(
  states: readonly Atom[],
  next: readonly (LinearForm | null)[],
  budget: Budget,
): readonly MatchedCell[] {
  const found: MatchedCell[] = [];
  const taken = new Set<number>();
  for (const [cellState, form] of next.entries()) {
    const matched = form && matchLstm(states, next, cellState, form, budget);
    if (!matched) continue;
    found.push(matched);
    taken.add(cellState).add(matched.hidden);
  }
  for (const [hidden, form] of next.entries()) {
    const state = states[hidden];
    if (!form || !state || taken.has(hidden)) continue;
    const matched = matchGru(state, hidden, form, budget) ?? matchSimple(state, hidden, form, budget);
    if (matched) found.push(matched);
  }
  return found.sort((a, b) => a.hidden - b.hidden);
}

function matchSimple(state: Atom, hidden: number, form: LinearForm, budget: Budget): MatchedCell | null {
  const gate = gateOf(form);
  if (!gate?.of.terms.has(state) || form.width === null) return null;
  const x = inputsOf([gate.of], [state]);
  const weights = x && weightsOf(gate.of, x, state, null, form.width, budget);
  if (!x || !weights) return null;
  return {
    cell: {
      kind: 'SimpleRNN',
      ...sizesOf([weights], form.width),
      bias: row(weights.bias),
      activation: gate.activation,
      clip: null,
    },
    hidden,
    cellState: null,
    x,
  };
}

function matchLstm(
  states: readonly Atom[],
  next: readonly (LinearForm | null)[],
  cellState: number,
  form: LinearForm,
  budget: Budget,
): MatchedCell | null {
  const state = states[cellState];
  const products = productsOf(form);
  const { width } = form;
  if (!state || products?.length !== 2 || width === null) return null;
  const kept = products.find(({ left, right }) => soleAtom(left) === state || soleAtom(right) === state);
  const added = products.find((product) => product !== kept);
  if (!kept || !added) return null;
  const forget = soleAtom(kept.left) === state ? kept.right : kept.left;
  const [first, second] = [gateOf(added.left), gateOf(added.right)];
  if (!first || !second) return null;

  for (const [hidden, output] of next.entries()) {
    const product = output && hidden !== cellState ? productsOf(output) : null;
    const hiddenState = states[hidden];
    if (product?.length !== 1 || !hiddenState || !product[0]) continue;
    const out = outputOf(product[0], form);
    if (!out) continue;
    const isFirst = isOneMinus(forget, first) || (!isOneMinus(forget, second) && isSame(first, out.gate));
    const [input, candidate] = isFirst ? [first, second] : [second, first];
    const forgetGate = gateOf(forget);
    const inputForget = forgetGate === null && isOneMinus(forget, input);
    if (!forgetGate && !inputForget) continue;
    if (!isSame(input, out.gate) || (forgetGate && !isSame(forgetGate, input))) continue;
    const cell = lstmOf({ input, forget: forgetGate, candidate, ...out }, hiddenState, state, form, budget);
    if (cell) return { ...cell, hidden, cellState };
  }
  return null;
}

interface LstmGates {
  readonly input: Gate;
  readonly forget: Gate | null;
  readonly candidate: Gate;
  readonly gate: Gate;
  readonly psi: ActivationDescription;
}

function lstmOf(
  { input, forget, candidate, gate, psi }: LstmGates,
  hidden: Atom,
  state: Atom,
  next: LinearForm,
  budget: Budget,
): Pick<MatchedCell, 'cell' | 'x'> | null {
  const units = next.width ?? 0;
  const nextTerms = [...next.terms.keys()];
  const of = [input.of, (forget ?? input).of, candidate.of, gate.of];
  const x = inputsOf(of, [hidden, state, ...nextTerms]);
  if (!x) return null;
  const blocks: GateWeights[] = [];
  for (const [block, form] of of.entries()) {
    const sees = block === 2 ? null : block === 3 ? nextTerms : [state];
    const weights = weightsOf(form, x, hidden, sees, units, budget);
    if (!weights) return null;
    blocks.push(weights);
  }
  const peepholes = [blocks[0], blocks[1], blocks[3]].map((block) => block?.diagonal ?? null);
  return {
    cell: {
      kind: 'LSTM',
      ...PLAIN_LSTM,
      ...sizesOf(blocks, units),
      bias: row(concat(blocks.map(({ bias }) => bias))),
      activation: candidate.activation,
      recurrentActivation: input.activation,
      outputActivation: psi,
      inputForget: forget === null,
      peepholes: peepholes.some((values) => values !== null)
        ? row(concat(peepholes.map((values) => values ?? new Float64Array(units))))
        : null,
    },
    x,
  };
}

/** o and psi of h' = o psi(c'); psi is linear where c' itself is multiplied. */
function outputOf(
  { left, right }: Product,
  next: LinearForm,
): { readonly gate: Gate; readonly psi: ActivationDescription } | null {
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    const gate = gateOf(one);
    if (!gate || equals(gate.of, next)) continue;
    if (equals(other, next)) return { gate, psi: { name: 'linear' } };
    const bent = gateOf(other);
    if (bent && equals(bent.of, next)) return { gate, psi: bent.activation };
  }
  return null;
}

function matchGru(state: Atom, hidden: number, form: LinearForm, budget: Budget): MatchedCell | null {
  const parts = gruParts(state, form);
  const units = form.width;
  if (!parts || units === null) return null;
  const { update, isInverse, candidate } = parts;
  const reset = resetOf(candidate.of, state, units, budget);
  if (!reset || !isSame(update, reset.gate)) return null;
  if (isInverse && !isSymmetric(update.activation)) return null;
  const x = inputsOf([update.of, reset.gate.of, reset.rest], [state]);
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
  const found = products.find(
    ([{ left, right }]) => gateOf(left)?.of.terms.has(state) ?? gateOf(right)?.of.terms.has(state),
  );
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

type Product = Extract<Atom, { kind: 'product' }>;

function productsOf(form: LinearForm): readonly Product[] | null {
  if (!isZero(form.bias)) return null;
  const products: Product[] = [];
  for (const [atom, factor] of form.terms) {
    if (atom.kind !== 'product' || !isNumber(factor, 1)) return null;
    products.push(atom);
  }
  return products;
}

function gateOf(form: LinearForm): Gate | null {
  const atom = soleAtom(form);
  return atom?.kind === 'activation' ? atom : null;
}

function isOneMinus(form: LinearForm, gate: Gate): boolean {
  return form.terms.size === 1 && isNumber(form.terms.get(gate), -1) && isZero(form.bias, 1);
}

/** plus - minus. */
function differenceOf(form: LinearForm): { readonly plus: Atom; readonly minus: Atom } | null {
  if (form.terms.size !== 2 || !isZero(form.bias)) return null;
  const plus = [...form.terms].find(([, factor]) => isNumber(factor, 1))?.[0];
  const minus = [...form.terms].find(([, factor]) => isNumber(factor, -1))?.[0];
  return plus && minus ? { plus, minus } : null;
}

/** The same function with the same parameters. */
function isSame({ activation: a }: Gate, { activation: b }: Gate): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** phi(-a) = 1 - phi(a). */
function isSymmetric({ name, offset }: ActivationDescription): boolean {
  return name === 'sigmoid' || (name === 'hard_sigmoid' && offset === 0.5);
}

function equals(a: LinearForm, b: LinearForm): boolean {
  if (a === b) return true;
  if (a.terms.size !== b.terms.size || !isZero(a.bias) || !isZero(b.bias)) return false;
  return [...a.terms].every(([atom, factor]) => isNumber(factor, 1) && isNumber(b.terms.get(atom), 1));
}

/** The atoms of some forms that are none of the cell's own; null where x cannot be told. */
function inputsOf(forms: readonly LinearForm[], own: readonly Atom[]): readonly Atom[] | null {
  const x = new Set<Atom>();
  for (const { terms } of forms) for (const atom of terms.keys()) if (!own.includes(atom)) x.add(atom);
  return x.size > 0 ? [...x] : null;
}

/** Kernel, recurrent kernel, bias and peephole of one gate; null where it sees something else. */
function weightsOf(
  form: LinearForm,
  x: readonly Atom[],
  hidden: Atom | null,
  sees: readonly Atom[] | null,
  units: number,
  budget: Budget,
): GateWeights | null {
  if (form.width !== units) return null;
  const known = new Set<Atom>([...x, ...(hidden ? [hidden] : []), ...(sees ?? [])]);
  if ([...form.terms.keys()].some((atom) => !known.has(atom))) return null;
  const parts: RealTensor[] = [];
  for (const atom of x) {
    const factor = form.terms.get(atom);
    const matrix = factor && matrixOf(factor, units, budget);
    // Each gate must see all of x: the rows of a missing part are not known.
    if (!matrix) return null;
    parts.push(tensorOf(matrix));
  }
  const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const factor = hidden && form.terms.get(hidden);
  const recurrent = factor && matrixOf(factor, units, budget);
  if (hidden && !recurrent) return null;
  const diagonals = (sees ?? []).map((atom) => form.terms.get(atom));
  const seen = diagonals.filter((part): part is Factor => part !== undefined);
  if (seen.length > 0 && seen.length !== diagonals.length) return null;
  const diagonal = seen[0] ? diagonalOf(seen[0], units) : null;
  if (seen.some((part) => !diagonal || !sameNumbers(diagonalOf(part, units), diagonal))) return null;
  return {
    kernel: { shape: [rows, units], data: concat(parts.map(({ data }) => Float64Array.from(data))) },
    recurrent: recurrent ? tensorOf(recurrent) : { shape: [units, units], data: new Float64Array(units * units) },
    bias: biasOf(form, units),
    diagonal,
  };
}

function diagonalOf(factor: Factor, units: number): Float64Array | null {
  if (factor.kind === 'number') return new Float64Array(units).fill(factor.value);
  if (factor.kind === 'row') return factor.values;
  const isDiagonal = factor.values.every((value, index) => value === 0 || index % (units + 1) === 0);
  return isDiagonal
    ? Float64Array.from({ length: units }, (_, unit) => factor.values[unit * (units + 1)] ?? NaN)
    : null;
}

function sameNumbers(a: Float64Array | null, b: Float64Array): boolean {
  return a?.length === b.length && a.every((value, index) => value === b[index]);
}

/** Blocks of the gates beside one another. */
function sizesOf(blocks: readonly GateWeights[], units: number) {
  const inputDim = blocks[0]?.kernel.shape[0] ?? 0;
  return {
    units,
    inputDim,
    kernel: beside(blocks.map(({ kernel }) => kernel)),
    recurrentKernel: beside(blocks.map(({ recurrent }) => recurrent)),
  };
}

function beside(blocks: readonly RealTensor[]): RealTensor {
  const [rows = 0, columns = 0] = blocks[0]?.shape ?? [];
  const width = columns * blocks.length;
  const data = new Float64Array(rows * width);
  for (const [block, { data: values }] of blocks.entries()) {
    for (let index = 0; index < rows; index++) {
      data.set(values.subarray(index * columns, (index + 1) * columns), index * width + block * columns);
    }
  }
  return { shape: [rows, width], data };
}

function negate(weights: GateWeights): GateWeights {
  const turn = ({ shape, data }: RealTensor): RealTensor => ({ shape, data: data.map((value) => -value) });
  return {
    ...weights,
    kernel: turn(weights.kernel),
    recurrent: turn(weights.recurrent),
    bias: weights.bias.map((value) => -value),
  };
}

function tensorOf({ rows, columns, values }: Factor & { kind: 'matrix' }): RealTensor {
  return { shape: [rows, columns], data: values };
}

function biasOf({ bias }: LinearForm, units: number): Float64Array {
  return typeof bias === 'number' ? new Float64Array(units).fill(bias) : bias;
}

function row(data: Float64Array): RealTensor {
  return { shape: [data.length], data };
}

function concat(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
