/**
 * Many tangents of each sequence pushed through one step: G <- A G, columns of G as tangents.
 *
 * Rows of G are h then c. An operator's c columns stand apart as two diagonals where the cell says so; with a projection
 * its rows are those of m = o psi(c), from which h is projected.
 */
import type { BareCell, StepVectors } from '../cells/tensor-cell';
import type { Ops, Value } from '../ops';

/** Below this share of the state's columns the columns of x are multiplied by zeros rather than cut off. */
const SMALL_INPUT = 0.25;

/**
 * ds_t/ds_{t-1} G.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param vectors - `operatorVectors` of one step, N = b.
 * @param tangents - G, `[b, S, p]`.
 */
export function pushTangents(ops: Ops, cell: BareCell, vectors: StepVectors, tangents: Value): Value {
  return ops.tidy(() => {
    const count = tangents.shape[2]!;
    const carry = cell.carry(vectors);
    const [hidden, cellRows] = carry ? ops.split(tangents, cell.blockSizes, 1) : [tangents, null];
    const product = pushUnformed(ops, cell, vectors, hidden!) ?? pushFormed(ops, cell, vectors, hidden!);
    if (!carry || !cellRows) return product;
    return addCarry(ops, cell, product, carry, cellRows, count);
  });
}

/** Through the shared kernels, one sequence at a time. */
function pushUnformed(ops: Ops, cell: BareCell, vectors: StepVectors, hidden: Value): Value | null {
  const [batch, size, count] = hidden.shape as [number, number, number];
  if (batch !== 1) return null;
  const product = cell.pushColumns(vectors, ops.reshape(hidden, [size, count]));
  return product && ops.reshape(product, [1, cell.operatorRows, count]);
}

/** Through the step's operator. */
function pushFormed(ops: Ops, cell: BareCell, vectors: StepVectors, hidden: Value): Value {
  const { inputDim, operatorColumns, operatorRows } = cell;
  const columns = operatorColumns - inputDim;
  const operators = cell.operators(vectors);
  if (inputDim <= SMALL_INPUT * columns) return ops.matMul(operators, padRows(ops, hidden, inputDim));
  return ops.matMul(ops.slice(operators, [0, 0, 0], [hidden.shape[0]!, operatorRows, columns]), hidden);
}

function padRows(ops: Ops, rows: Value, more: number): Value {
  return ops.pad(
    rows,
    [
      [0, 0],
      [0, more],
      [0, 0],
    ],
    0,
  );
}

/** What c gives through its two diagonals, and the rows in the order h, c. */
function addCarry(ops: Ops, cell: BareCell, product: Value, carry: Value, cellRows: Value, count: number): Value {
  const { units, projection } = cell;
  const [batch] = product.shape as [number];
  const pairs = ops.reshape(product, [batch, 2, units, count]);
  const diagonals = ops.reshape(ops.transpose(carry, [0, 2, 1]), [batch, 2, units, 1]);
  const whole = ops.add(pairs, ops.mul(diagonals, ops.reshape(cellRows, [batch, 1, units, count])));
  const [memory, next] = ops.split(whole, 2, 1).map((part) => ops.reshape(part, [batch, units, count]));
  const hidden = projection ? ops.matMul(projection, memory!, true, false) : memory!;
  return ops.concat([hidden, next!], 1);
}
