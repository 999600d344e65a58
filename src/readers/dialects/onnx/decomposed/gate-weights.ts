/**
 * Kernels, biases and peepholes of gates, out of the forms of their pre-activations.
 */
import type { RealTensor } from '../../../../core/tensor';
import { isSumOf, type Source } from './cell-forms';
import { matrixOf, type Atom, type Budget, type Factor, type LinearForm } from './linear-forms';

/** The kernels of one gate, `[.., H]`. */
export interface GateWeights {
  readonly kernel: RealTensor;
  readonly recurrent: RealTensor;
  readonly bias: Float64Array;
  readonly diagonal: Float64Array | null;
}

/**
 * What the gates of a cell see beside its own states, part by part; null for nothing.
 *
 * @param forms - Pre-activations.
 * @param own - The cell's states.
 * @param next - What the states of the body become: a whole one among them is one part.
 */
export function inputsOf(
  forms: readonly LinearForm[],
  own: readonly Atom[],
  next: readonly (LinearForm | null)[],
): readonly Source[] | null {
  const x = new Set<Atom>();
  for (const { terms } of forms) for (const atom of terms.keys()) if (!own.includes(atom)) x.add(atom);
  if (x.size === 0) return null;
  const whole = x.size > 1 ? next.find((form) => form && isSumOf(form, [...x])) : null;
  return whole ? [[...x]] : [...x].map((atom) => [atom]);
}

/**
 * The weights of one gate; null where it sees something else than what is named, or not all of x.
 *
 * @param form - Its pre-activation.
 * @param x - What x is put together from.
 * @param hidden - The state h; null where its part is known otherwise.
 * @param sees - Atoms that a peephole sees; null for none.
 * @param units - H.
 * @param budget - What may still be computed.
 */
export function weightsOf(
  form: LinearForm,
  x: readonly Source[],
  hidden: Atom | null,
  sees: readonly Atom[] | null,
  units: number,
  budget: Budget,
): GateWeights | null {
  if (form.width !== units) return null;
  const known = new Set<Atom>([...x.flat(), ...(hidden ? [hidden] : []), ...(sees ?? [])]);
  if ([...form.terms.keys()].some((atom) => !known.has(atom))) return null;
  const parts: RealTensor[] = [];
  for (const source of x) {
    const matrices = source.map((atom) => {
      const factor = form.terms.get(atom);
      return factor ? matrixOf(factor, units, budget) : null;
    });
    const [first] = matrices;
    // Each gate must see all of x: the rows of a missing part are not known.
    if (!first || matrices.some((matrix) => !matrix || !sameNumbers(matrix.values, first.values))) return null;
    parts.push(tensorOf(first));
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

/**
 * Sizes and kernels of a cell, the blocks of its gates beside one another.
 *
 * @param blocks - Its gates in canonical order.
 * @param units - H.
 */
export function sizesOf(blocks: readonly GateWeights[], units: number) {
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

/**
 * The weights of the gate 1 - phi(a), for a symmetric phi.
 *
 * @param weights - Those of phi(a).
 */
export function negate(weights: GateWeights): GateWeights {
  const turn = ({ shape, data }: RealTensor): RealTensor => ({ shape, data: data.map((value) => -value) });
  return {
    ...weights,
    kernel: turn(weights.kernel),
    recurrent: turn(weights.recurrent),
    bias: weights.bias.map((value) => -value),
  };
}

/**
 * A matrix as a tensor.
 *
 * @param matrix - The matrix.
 */
export function tensorOf({ rows, columns, values }: Factor & { kind: 'matrix' }): RealTensor {
  return { shape: [rows, columns], data: values };
}

/**
 * The bias of a form, `[units]`.
 *
 * @param form - The form.
 * @param units - H.
 */
export function biasOf({ bias }: LinearForm, units: number): Float64Array {
  return typeof bias === 'number' ? new Float64Array(units).fill(bias) : bias;
}

/**
 * Numbers as a tensor of one axis.
 *
 * @param data - The numbers.
 */
export function row(data: Float64Array): RealTensor {
  return { shape: [data.length], data };
}

/**
 * Numbers behind one another.
 *
 * @param parts - The numbers.
 */
export function concat(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
