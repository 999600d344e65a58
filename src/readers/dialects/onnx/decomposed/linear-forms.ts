/**
 * Values of one step of a recurrence, written as sums of atoms with constant factors.
 *
 * A matrix product, a sum, a slice of columns keep a value in this form; an activation, or the product of two values,
 * makes a new atom. Two values are the same when they are the same atom: every value of a graph is made once.
 * All numbers are float64. What is too large to follow is given up (`null`), never guessed.
 * Long because every operation on forms needs the same one on factors.
 */
import type { ActivationDescription } from '../../../../core/activations';

/** What a step cannot be taken apart further. */
export type Atom =
  /** The step's own part of a sequence from outside. */
  | { readonly kind: 'input'; readonly name: string; readonly axis: number; readonly isReversed: boolean }
  | { readonly kind: 'state'; readonly index: number }
  | { readonly kind: 'activation'; readonly activation: ActivationDescription; readonly of: LinearForm }
  | { readonly kind: 'product'; readonly left: LinearForm; readonly right: LinearForm }
  /** A product times a matrix that is a state's next value: an h of fewer units. */
  | { readonly kind: 'projection'; readonly of: LinearForm; readonly matrix: Factor & { readonly kind: 'matrix' } };

/** A constant factor on the right of an atom: a number, a row of numbers, or a matrix `[rows, columns]`. */
export type Factor =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'row'; readonly values: Float64Array }
  | { readonly kind: 'matrix'; readonly rows: number; readonly columns: number; readonly values: Float64Array };

/** Sum of atoms times factors, plus a bias. */
export interface LinearForm {
  readonly terms: ReadonlyMap<Atom, Factor>;
  readonly bias: Float64Array | number;
  /** Columns; null where nothing tells. */
  readonly width: number | null;
}

/** What may still be computed and kept; a recurrence that asks for more is given up. */
export interface Budget {
  numbers: number;
}

/** Room for a cell of 2000 units, many times over what files hold. */
export const MAX_FORM_NUMBERS = 2e9;
const MAX_TERMS = 64;

/**
 * An atom as a form.
 *
 * @param atom - The atom.
 * @param width - Its columns, null where nothing tells.
 */
export function formOf(atom: Atom, width: number | null): LinearForm {
  return { terms: new Map([[atom, ONE]]), bias: 0, width };
}

/**
 * A constant as a form.
 *
 * @param values - A number, or one row.
 */
export function constantForm(values: Float64Array | number): LinearForm {
  return { terms: new Map(), bias: values, width: typeof values === 'number' ? null : values.length };
}

/**
 * left + sign * right; null where their widths differ.
 *
 * @param left - A form.
 * @param right - Another.
 * @param sign - 1 or -1.
 * @param budget - What may still be computed.
 */
export function addForms(left: LinearForm, right: LinearForm, sign: number, budget: Budget): LinearForm | null {
  const width = left.width ?? right.width;
  if (right.width !== null && right.width !== width) return null;
  const terms = new Map(left.terms);
  for (const [atom, factor] of right.terms) {
    const known = terms.get(atom);
    const signed = scaleFactor(factor, sign);
    const sum = known ? addFactors(known, signed, budget) : signed;
    if (!sum) return null;
    if (sum.kind === 'number' && sum.value === 0) terms.delete(atom);
    else terms.set(atom, sum);
  }
  if (terms.size > MAX_TERMS) return null;
  return { terms, bias: zip(left.bias, right.bias, (a, b) => a + sign * b), width };
}

/**
 * A form with each column times a number of its own.
 *
 * @param form - The form.
 * @param by - A number or one row; null where it does not fit.
 * @param budget - What may still be computed.
 */
export function scaleForm(form: LinearForm, by: Float64Array | number, budget: Budget): LinearForm | null {
  if (typeof by !== 'number' && form.width !== null && form.width !== by.length) return null;
  const terms = new Map<Atom, Factor>();
  for (const [atom, factor] of form.terms) {
    if (!spend(budget, factor)) return null;
    terms.set(atom, scaleColumns(factor, by));
  }
  return {
    terms,
    bias: zip(form.bias, by, (a, b) => a * b),
    width: form.width ?? (typeof by === 'number' ? null : by.length),
  };
}

/**
 * A form times a constant matrix on its right; null where it does not fit, or grows too large.
 *
 * @param form - `[.., rows]`.
 * @param matrix - `[rows, columns]`.
 * @param budget - What may still be computed.
 */
export function multiplyForm(
  form: LinearForm,
  matrix: { readonly rows: number; readonly columns: number; readonly values: Float64Array },
  budget: Budget,
): LinearForm | null {
  if (form.width !== null && form.width !== matrix.rows) return null;
  const terms = new Map<Atom, Factor>();
  for (const [atom, factor] of form.terms) {
    const product = multiplyFactor(factor, matrix, budget);
    if (!product) return null;
    terms.set(atom, product);
  }
  return { terms, bias: multiplyBias(form.bias, matrix), width: matrix.columns };
}

/**
 * Some columns of a form; null where its width is not known or they lie outside.
 *
 * @param form - The form.
 * @param start - First column.
 * @param end - Behind the last one.
 * @param budget - What may still be computed.
 */
export function selectColumns(form: LinearForm, start: number, end: number, budget: Budget): LinearForm | null {
  const { width } = form;
  if (width === null || start < 0 || end > width || start >= end) return null;
  const terms = new Map<Atom, Factor>();
  for (const [atom, factor] of form.terms) {
    const matrix = matrixOf(factor, width, budget);
    if (!matrix || !spend(budget, matrix)) return null;
    const columns = end - start;
    const values = new Float64Array(matrix.rows * columns);
    for (let row = 0; row < matrix.rows; row++) {
      values.set(matrix.values.subarray(row * matrix.columns + start, row * matrix.columns + end), row * columns);
    }
    terms.set(atom, { kind: 'matrix', rows: matrix.rows, columns, values });
  }
  const bias = typeof form.bias === 'number' ? form.bias : form.bias.slice(start, end);
  return { terms, bias, width: end - start };
}

/**
 * A factor as a matrix; null where it would be too large.
 *
 * @param factor - The factor.
 * @param width - Its columns.
 * @param budget - What may still be computed.
 */
export function matrixOf(factor: Factor, width: number, budget: Budget): (Factor & { kind: 'matrix' }) | null {
  if (factor.kind === 'matrix') return factor;
  if (!take(budget, width * width)) return null;
  const values = new Float64Array(width * width);
  for (let index = 0; index < width; index++) {
    values[index * width + index] = factor.kind === 'number' ? factor.value : (factor.values[index] ?? NaN);
  }
  return { kind: 'matrix', rows: width, columns: width, values };
}

/**
 * The only atom of a form that is nothing else: factor 1, no bias.
 *
 * @param form - The form.
 */
export function soleAtom(form: LinearForm): Atom | null {
  if (form.terms.size !== 1 || !isZero(form.bias)) return null;
  for (const [atom, factor] of form.terms) if (isNumber(factor, 1)) return atom;
  return null;
}

/**
 * Whether a factor is one number.
 *
 * @param factor - The factor, undefined for none.
 * @param value - The number.
 */
export function isNumber(factor: Factor | undefined, value: number): boolean {
  if (factor?.kind === 'number') return factor.value === value;
  return factor?.kind === 'row' && factor.values.every((entry) => entry === value);
}

/**
 * Whether a bias is one number everywhere.
 *
 * @param bias - The bias.
 * @param value - The number.
 */
export function isZero(bias: Float64Array | number, value = 0): boolean {
  return typeof bias === 'number' ? bias === value : bias.every((entry) => entry === value);
}

const ONE: Factor = { kind: 'number', value: 1 };

function take(budget: Budget, count: number): boolean {
  budget.numbers -= count;
  return budget.numbers >= 0;
}

function spend(budget: Budget, factor: Factor): boolean {
  return take(budget, factor.kind === 'number' ? 1 : factor.values.length);
}

function scaleFactor(factor: Factor, by: number): Factor {
  return by === 1 ? factor : scaleColumns(factor, by);
}

function scaleColumns(factor: Factor, by: Float64Array | number): Factor {
  if (factor.kind === 'number') {
    return typeof by === 'number'
      ? { kind: 'number', value: factor.value * by }
      : { kind: 'row', values: by.map((value) => value * factor.value) };
  }
  const columns = factor.kind === 'row' ? factor.values.length : factor.columns;
  const at = (index: number): number => (typeof by === 'number' ? by : (by[index % columns] ?? NaN));
  return { ...factor, values: factor.values.map((value, index) => value * at(index)) };
}

function addFactors(left: Factor, right: Factor, budget: Budget): Factor | null {
  if (left.kind === 'number' && right.kind === 'number') return { kind: 'number', value: left.value + right.value };
  const width = left.kind === 'matrix' ? left.columns : right.kind === 'matrix' ? right.columns : null;
  if (width === null) {
    const [row, other] = left.kind === 'row' ? [left, right] : [right, left];
    if (row.kind !== 'row' || other.kind === 'matrix') return null;
    return {
      kind: 'row',
      values: row.values.map(
        (value, index) => value + (other.kind === 'row' ? (other.values[index] ?? NaN) : other.value),
      ),
    };
  }
  const [a, b] = [matrixOf(left, width, budget), matrixOf(right, width, budget)];
  if (!a || !b || a.values.length !== b.values.length || !spend(budget, a)) return null;
  return { ...a, values: a.values.map((value, index) => value + (b.values[index] ?? NaN)) };
}

function multiplyFactor(
  factor: Factor,
  { rows, columns, values }: { readonly rows: number; readonly columns: number; readonly values: Float64Array },
  budget: Budget,
): Factor | null {
  if (factor.kind !== 'matrix') {
    if (!take(budget, values.length)) return null;
    const at = (row: number): number => (factor.kind === 'number' ? factor.value : (factor.values[row] ?? NaN));
    return {
      kind: 'matrix',
      rows,
      columns,
      values: values.map((value, index) => at(Math.floor(index / columns)) * value),
    };
  }
  if (factor.columns !== rows || !take(budget, factor.rows * rows * columns)) return null;
  const product = new Float64Array(factor.rows * columns);
  for (let row = 0; row < factor.rows; row++) {
    for (let inner = 0; inner < rows; inner++) {
      const value = factor.values[row * rows + inner] ?? NaN;
      if (value === 0) continue;
      for (let column = 0; column < columns; column++) {
        const index = row * columns + column;
        product[index] = (product[index] ?? NaN) + value * (values[inner * columns + column] ?? NaN);
      }
    }
  }
  return { kind: 'matrix', rows: factor.rows, columns, values: product };
}

function multiplyBias(
  bias: Float64Array | number,
  { rows, columns, values }: { readonly rows: number; readonly columns: number; readonly values: Float64Array },
): Float64Array | number {
  if (isZero(bias)) return 0;
  const product = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    const value = typeof bias === 'number' ? bias : (bias[row] ?? NaN);
    for (let column = 0; column < columns; column++) {
      product[column] = (product[column] ?? NaN) + value * (values[row * columns + column] ?? NaN);
    }
  }
  return product;
}

function zip(
  left: Float64Array | number,
  right: Float64Array | number,
  of: (a: number, b: number) => number,
): Float64Array | number {
  if (typeof left === 'number')
    return typeof right === 'number' ? of(left, right) : right.map((value) => of(left, value));
  return left.map((value, index) => of(value, typeof right === 'number' ? right : (right[index] ?? NaN)));
}
