/**
 * Which weights of a cell the constants of a body are, told by their numbers: a body says nothing of roles.
 *
 * Blocks of one gate are held against those of the cell, so that gates in any order, tensors of some gates only, and
 * transposed ones are found. What fits nowhere keeps the role `other`.
 */
import { blockNames } from '../../../../core/diagnostics/gate-blocks';
import type { CellDescription, WeightInfo, WeightRole } from '../../../../core/model';
import type { RealTensor } from '../../../../core/tensor';
import type { StoredTensor } from '../../../stored-tensor';

/** A constant of a body with its numbers. */
export interface TakenTensor {
  readonly stored: StoredTensor;
  readonly values: RealTensor;
}

/** A constant as a matrix of columns, whichever way it is stored. */
interface Columns {
  readonly rows: number;
  readonly count: number;
  readonly at: (row: number, column: number) => number;
}

/** Blocks of a cell that a constant may be. */
interface Whole {
  readonly role: WeightRole;
  readonly names: readonly string[];
  readonly tensor: RealTensor;
  readonly row: 0 | 1 | null;
}

/** Blocks of the peepholes in canonical order. */
const PEEPHOLES = ['i', 'f', 'o'];

/**
 * The constants with their roles, in the order given.
 *
 * @param taken - Constants that the body takes.
 * @param cell - The one cell that it steps.
 */
export function weightInfos(taken: readonly TakenTensor[], cell: CellDescription): readonly WeightInfo[] {
  const wholes = wholesOf(cell);
  const claimed = new Set<string>();
  const added = addedBiases(taken, cell);
  return taken.map(
    (tensor) => added.get(tensor) ?? roleOf(tensor, wholes, cell.units, claimed) ?? infoOf(tensor, 'other'),
  );
}

function infoOf({ stored: { name, shape, dtype } }: TakenTensor, role: WeightRole): WeightInfo {
  return { role, name, shape: [...shape], dtype, direction: null };
}

function wholesOf(cell: CellDescription): readonly Whole[] {
  const names = blockNames(cell.kind);
  const { bias } = cell;
  const wholes: Whole[] = [
    { role: 'kernel', names, tensor: cell.kernel, row: null },
    { role: 'recurrent_kernel', names, tensor: cell.recurrentKernel, row: null },
  ];
  if (bias && bias.shape.length === 1) wholes.push({ role: 'bias', names, tensor: bias, row: null });
  for (const row of bias?.shape.length === 2 ? ([0, 1] as const) : []) {
    const width = bias?.shape[1] ?? 0;
    const data = bias?.data.subarray(row * width, (row + 1) * width) ?? new Float64Array(0);
    wholes.push({ role: 'bias', names, tensor: { shape: [width], data }, row });
  }
  if (cell.kind !== 'LSTM') return wholes;
  if (cell.projection) wholes.push({ role: 'projection', names: ['h'], tensor: cell.projection, row: null });
  if (cell.peepholes) wholes.push({ role: 'peephole', names: PEEPHOLES, tensor: cell.peepholes, row: null });
  return wholes;
}

/** The first weights whose blocks a constant is made of; blocks are claimed, since equal ones are told by order only. */
function roleOf(tensor: TakenTensor, wholes: readonly Whole[], units: number, claimed: Set<string>): WeightInfo | null {
  for (const columns of readingsOf(tensor.values)) {
    for (const whole of wholes) {
      const width = whole.role === 'projection' ? columns.count : units;
      const free = (gate: string): boolean => !claimed.has(keyOf(whole, gate));
      const gates = gatesOf(columns, whole, width, free);
      if (!gates) continue;
      for (const gate of gates) claimed.add(keyOf(whole, gate));
      const isWhole = gates.length === whole.names.length && whole.row === null;
      const info = infoOf(tensor, whole.role);
      return isWhole ? info : { ...info, part: { gates, row: whole.row } };
    }
  }
  return null;
}

function keyOf({ role, row }: Whole, gate: string): string {
  return `${role} ${String(row)} ${gate}`;
}

/** A matrix as it is and transposed; one row for a vector, with or without axes of size 1. */
function readingsOf({ shape, data }: RealTensor): readonly Columns[] {
  const sizes = shape.filter((size, axis) => size !== 1 || axis >= shape.length - 2);
  if (sizes.length > 2) return [];
  const [rows, count] = sizes.length === 2 ? [sizes[0] ?? 0, sizes[1] ?? 0] : [1, sizes[0] ?? 0];
  const plain: Columns = { rows, count, at: (row, column) => data[row * count + column] ?? NaN };
  const turned: Columns = { rows: count, count: rows, at: (row, column) => data[column * count + row] ?? NaN };
  return sizes.length === 2 ? [plain, turned] : [plain];
}

/** The gates whose blocks the columns are, in this order; null where one block is none of them. */
function gatesOf(
  columns: Columns,
  whole: Whole,
  width: number,
  isFree: (gate: string) => boolean,
): readonly string[] | null {
  const { names, tensor } = whole;
  const rows = tensor.shape.length === 1 ? 1 : (tensor.shape[0] ?? 0);
  if (width === 0 || columns.rows !== rows || columns.count === 0 || columns.count % width !== 0) return null;
  if (tensor.data.length !== rows * width * names.length || columns.count > width * names.length) return null;
  const gates: string[] = [];
  for (let block = 0; block < columns.count / width; block++) {
    const gate = names.find(
      (name, index) => !gates.includes(name) && isFree(name) && isBlock(columns, block, tensor, index, rows, width),
    );
    if (gate === undefined) return null;
    gates.push(gate);
  }
  return gates;
}

/** Whether a block has the numbers of a gate; a gate that is written as 1 - z has them with the other sign. */
function isBlock(
  columns: Columns,
  block: number,
  { data }: RealTensor,
  index: number,
  rows: number,
  width: number,
): boolean {
  const all = data.length / rows;
  const isAll = (sign: 1 | -1): boolean => {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < width; column++) {
        const number = columns.at(row, block * width + column);
        if (!isSame(number, sign * (data[row * all + index * width + column] ?? NaN))) return false;
      }
    }
    return true;
  };
  return isAll(1) || isAll(-1);
}

function isSame(a: number, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}

/**
 * Two biases of all gates that the cell has in a sum only, with their own blocks in canonical order.
 *
 * A GRU with resetAfter keeps the two of its candidate apart: the first row is the input's.
 */
function addedBiases(taken: readonly TakenTensor[], cell: CellDescription): ReadonlyMap<TakenTensor, WeightInfo> {
  const { bias, units } = cell;
  const names = blockNames(cell.kind);
  const width = names.length * units;
  const pairs = new Map<TakenTensor, WeightInfo>();
  const biases = taken.filter(({ values }) => values.data.length === width && values.shape.at(-1) === width);
  const [one, other] = biases;
  if (!bias || biases.length !== 2 || !one || !other) return pairs;
  for (const order of ordersOf(names.length)) {
    for (const [first, second] of [
      [one, other],
      [other, one],
    ] as const) {
      const [a, b] = [inOrder(first, order, units), inOrder(second, order, units)];
      if (!isBias(a, b, bias, units)) continue;
      for (const [tensor, numbers] of [
        [first, a],
        [second, b],
      ] as const) {
        pairs.set(tensor, { ...infoOf(tensor, 'bias'), numbers: { shape: [width], data: numbers } });
      }
      return pairs;
    }
  }
  return pairs;
}

function inOrder({ values }: TakenTensor, order: readonly number[], units: number): Float64Array {
  const moved = new Float64Array(values.data.length);
  for (const [block, from] of order.entries()) {
    moved.set(values.data.subarray(from * units, (from + 1) * units), block * units);
  }
  return moved;
}

/** Whether the rows of a bias are the sum of two, or for the candidate of a GRU the two themselves. */
function isBias(a: Float64Array, b: Float64Array, bias: RealTensor, units: number): boolean {
  const rows = bias.shape.length === 2 ? 2 : 1;
  const apart = rows === 2 ? 2 * units : a.length;
  for (let at = 0; at < a.length; at++) {
    const [own = NaN, added = NaN, stored = NaN] = [a[at], b[at], bias.data[at]];
    const below = rows === 2 ? (bias.data[a.length + at] ?? NaN) : 0;
    const fits = at < apart ? isEither(own + added, stored + below) : isSame(own, stored) && isSame(added, below);
    if (!fits) return false;
  }
  return true;
}

function isEither(a: number, b: number): boolean {
  return isSame(a, b) || isSame(a, -b);
}

/** All orders of a few blocks, the canonical one first. */
function ordersOf(count: number): readonly (readonly number[])[] {
  if (count === 0) return [[]];
  const shorter = ordersOf(count - 1);
  return Array.from({ length: count }, (_, last) => count - 1 - last).flatMap((last) =>
    shorter.map((order) => [...order.map((entry) => (entry >= last ? entry + 1 : entry)), last]),
  );
}
