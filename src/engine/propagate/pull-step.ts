/**
 * One step of the reverse recursion on rows kept as columns: G = R^T, G <- A^T G, and B^T G beside it.
 *
 * h and c rows go through one product together; where the c columns of A are two diagonals they go through one pass
 * over G instead (method.md 2.5), and a projection of h is undone on G first. Nothing here scales or checks.
 */
import type { BareCell } from '../cells/tensor-cell';
import type { KernelAttribute, Ops, RowPattern, Value } from '../ops';

/** Two matrices as one with a new axis behind the first. */
const PACK_BETWEEN: readonly KernelAttribute[] = [
  { name: 'N', kind: 'int', value: 2 },
  { name: 'T', kind: 'type', value: 'real' },
  { name: 'axis', kind: 'int', value: 1 },
];

/** What a step gives: G after it, `[b, S, q]`, and (dtarget/dx)^T, `[b, D, q]`; two axes where b = 1. */
export interface Pulled {
  readonly rows: Value;
  readonly input: Value;
}

/**
 * One step pulled back.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param rows - G, `[b, S, q]`, or `[S, q]` for one sequence.
 * @param operator - `[b, O, C]`, or `[O, C]` for one sequence; O = S without a projection.
 * @param carry - `[b*H*2]`, null where the operator holds all columns.
 * @param valid - Truth values `[b, 1, 1]`, false where the step is masked; null when none is.
 */
export function pullStep(
  ops: Ops,
  cell: BareCell,
  rows: Value,
  operator: Value,
  carry: Value | null,
  valid: Value | null,
): Pulled {
  const { inputDim } = cell;
  return ops.tidy(() => {
    const full = cell.projection ? unprojected(ops, cell, cell.projection, rows) : rows;
    const product = ops.matMul(operator, full, true, false);
    const [state, input] = ops.split(product, [cell.operatorColumns - inputDim, inputDim], -2);
    const next = carry ? joinRows(ops, cell, state, sumRowPairs(ops, carry, full), rows.shape) : state;
    if (!valid) return { rows: next, input };
    return { rows: ops.select(valid, next, rows), input: ops.select(valid, input, ops.constant(0)) };
  });
}

/** G of m and c, rows alternating, from G of h and c: h = projection^T m, so that G_m = projection G_h. */
function unprojected(ops: Ops, { units, blockSizes }: BareCell, projection: Value, rows: Value): Value {
  const [hidden, cellRows] = ops.split(rows, blockSizes, -2);
  const shape = [...rows.shape.slice(0, -2), 2 * units, rows.shape[rows.shape.length - 1]];
  return withCellRows(ops, ops.matMul(projection, hidden), cellRows, shape);
}

/** Rows of h and of c in the order that the cell keeps them in, in the shape of G. */
function joinRows(ops: Ops, cell: BareCell, hidden: Value, cellRows: Value, shape: readonly number[]): Value {
  if (!cell.projection) return withCellRows(ops, hidden, cellRows, shape);
  const lead = shape.slice(0, -2);
  return ops.concat([hidden, ops.reshape(cellRows, [...lead, cell.units, shape[shape.length - 1]])], -2);
}

/** Rows of h and of c alternating. */
function withCellRows(ops: Ops, hidden: Value, cellRows: Value, shape: readonly number[]): Value {
  if (ops.native && shape.length === 2) {
    return ops.reshape(ops.native.kernel('Pack', PACK_BETWEEN, [hidden, cellRows], 1)[0], shape);
  }
  const targets = shape[shape.length - 1];
  const count = hidden.shape.reduce((product, size) => product * size, 1) / targets;
  const parts = [hidden, cellRows].map((part) => ops.reshape(part, [count, 1, targets]));
  return ops.reshape(ops.concat(parts, 1), shape);
}

/** Row pairs of G weighted and added, `[b*H, q]`. */
function sumRowPairs(ops: Ops, factors: Value, rows: Value): Value {
  const targets = rows.shape[rows.shape.length - 1];
  const count = rows.shape.reduce((product, size) => product * size, 1) / targets;
  if (ops.native) {
    const flat = rows.shape.length === 2 ? rows : ops.reshape(rows, [count, targets]);
    return ops.native.combineRows(rowPairs(count), factors, flat);
  }
  const pairs = ops.reshape(rows, [count / 2, 2, targets]);
  return ops.sum(ops.mul(pairs, ops.reshape(factors, [count / 2, 2, 1])), [1]);
}

/** Row m is a sum of rows 2m and 2m + 1. */
function rowPairs(count: number): RowPattern {
  return {
    name: 'pairs',
    rows: count / 2,
    columns: count,
    places: () => Int32Array.from({ length: 2 * count }, (_, at) => (at % 2 === 0 ? at >> 2 : at >> 1)),
  };
}
