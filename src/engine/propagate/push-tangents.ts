/**
 * Many tangents of each sequence pushed through one step: G <- A G, columns of G as tangents.
 *
 * Rows of G are h then c. An operator's c columns stand apart as two diagonals where the cell says so, its rows may
 * alternate between h and c, and with a projection they are those of m = o psi(c), from which h is projected.
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
    const { inputDim, operatorColumns, operatorRows, blockSizes } = cell;
    const [batch, , count] = tangents.shape as [number, number, number];
    const columns = operatorColumns - inputDim;
    const operators = cell.operators(vectors);
    const carry = cell.carry(vectors);
    const [hidden, cellRows] = carry ? ops.split(tangents, blockSizes, 1) : [tangents, null];
    const isPadded = inputDim <= SMALL_INPUT * columns;
    const left = isPadded ? operators : ops.slice(operators, [0, 0, 0], [batch, operatorRows, columns]);
    const right = isPadded ? padRows(ops, hidden!, inputDim) : hidden!;
    const product = ops.matMul(left, right);
    if (!carry || !cellRows) return product;
    return addCarry(ops, cell, product, ops.reshape(carry, [batch, cell.units, 2, 1]), cellRows, count);
  });
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
  const pairs = ops.reshape(product, [batch, units, 2, count]);
  const whole = ops.add(pairs, ops.mul(carry, ops.reshape(cellRows, [batch, units, 1, count])));
  const [memory, next] = ops.split(whole, 2, 2).map((part) => ops.reshape(part, [batch, units, count]));
  const hidden = projection ? ops.matMul(projection, memory!, true, false) : memory!;
  return ops.concat([hidden, next!], 1);
}
