/**
 * Forms of a step -> the cells that they are: SimpleRNN, LSTM or GRU, whatever operators they were written with.
 *
 * LSTM: c' = f c + i g, h' = o psi(c'), or h' = (o psi(c')) W with a projection.
 */
import type { ActivationDescription } from '../../../../core/activations';
import { PLAIN_LSTM } from '../../../../core/model';
import {
  equals,
  gateOf,
  isOneMinus,
  isSame,
  projectedOf,
  productsOf,
  type Gate,
  type MatchedCell,
  type Product,
  type Projected,
} from './cell-forms';
import { concat, inputsOf, row, sizesOf, tensorOf, weightsOf, type GateWeights } from './gate-weights';
import { soleAtom, type Atom, type Budget, type LinearForm } from './linear-forms';
import { matchGru } from './match-gru';

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
    const matched = matchGru(state, hidden, form, next, budget) ?? matchSimple(state, hidden, form, next, budget);
    if (matched) found.push(matched);
  }
  return found.sort((a, b) => a.hidden - b.hidden);
}

function matchSimple(
  state: Atom,
  hidden: number,
  form: LinearForm,
  next: readonly (LinearForm | null)[],
  budget: Budget,
): MatchedCell | null {
  const gate = gateOf(form);
  if (!gate?.of.terms.has(state) || form.width === null) return null;
  const x = inputsOf([gate.of], [state], next);
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
    const projected = output && projectedOf(output);
    const product = output && hidden !== cellState ? productsOf(projected?.of ?? output) : null;
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
    const projection = projected?.matrix ?? null;
    const gates = { input, forget: forgetGate, candidate, projection, ...out };
    const cell = lstmOf(gates, hiddenState, state, form, next, budget);
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
  readonly projection: Projected['matrix'] | null;
}

function lstmOf(
  { input, forget, candidate, gate, psi, projection }: LstmGates,
  hidden: Atom,
  state: Atom,
  next: LinearForm,
  all: readonly (LinearForm | null)[],
  budget: Budget,
): Pick<MatchedCell, 'cell' | 'x'> | null {
  const units = next.width ?? 0;
  const nextTerms = [...next.terms.keys()];
  const of = [input.of, (forget ?? input).of, candidate.of, gate.of];
  const x = inputsOf(of, [hidden, state, ...nextTerms], all);
  if (!x) return null;
  const blocks: GateWeights[] = [];
  for (const [block, form] of of.entries()) {
    const sees = block === 2 ? null : block === 3 ? nextTerms : [state];
    const weights = weightsOf(form, x, hidden, sees, units, budget);
    if (!weights) return null;
    blocks.push(weights);
  }
  const hiddenUnits = projection?.columns ?? units;
  if (blocks.some(({ recurrent }) => recurrent.shape[0] !== hiddenUnits)) return null;
  if (projection && projection.rows !== units) return null;
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
      projection: projection && tensorOf(projection),
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
