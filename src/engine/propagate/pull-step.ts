/**
 * One step of the reverse recursion on rows kept as columns: G = R^T, G <- A^T G, and B^T G beside it.
 *
 * h and c rows go through one product together; where the c columns of A are two diagonals they go through one pass
 * over G instead (method.md 2.5), and a projection of h is undone on G first. Nothing here scales or checks.
 */
import type { BareCell } from '../cells/tensor-cell';
import type { Ops, RowPattern, Value } from '../ops';

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
    const next = carry ? ops.concat([state, sumRowPairs(ops, cell, carry, full)], -2) : state;
    if (!valid) return { rows: next, input };
    return { rows: ops.select(valid, next, rows), input: ops.select(valid, input, ops.constant(0)) };
  });
}

/** G of m and c from G of h and c: h = projection^T m, so that G_m = projection G_h. */
function unprojected(ops: Ops, { blockSizes }: BareCell, projection: Value, rows: Value): Value {
  const [hidden, cellRows] = ops.split(rows, blockSizes, -2);
  return ops.concat([ops.matMul(projection, hidden), cellRows], -2);
}

/** Rows of m and of c weighted and added unit by unit, `[b, H, q]`, or `[H, q]` for one sequence. */
function sumRowPairs(ops: Ops, { units }: BareCell, factors: Value, rows: Value): Value {
  const targets = rows.shape[rows.shape.length - 1];
  const lead = rows.shape.slice(0, -2);
  const batch = lead[0] ?? 1;
  if (ops.native) {
    const flat = rows.shape.length === 2 ? rows : ops.reshape(rows, [batch * 2 * units, targets]);
    return ops.reshape(ops.native.combineRows(rowPairs(batch, units), factors, flat), [...lead, units, targets]);
  }
  const weights = ops.transpose(ops.reshape(factors, [batch, units, 2]), [0, 2, 1]);
  const pairs = ops.reshape(rows, [batch, 2, units, targets]);
  const sum = ops.sum(ops.mul(pairs, ops.reshape(weights, [batch, 2, units, 1])), [1]);
  return ops.reshape(sum, [...lead, units, targets]);
}

/** Row m of a sequence is a sum of its rows m and H + m. */
function rowPairs(batch: number, units: number): RowPattern {
  return {
    name: `pairs of ${units} units`,
    rows: batch * units,
    columns: batch * 2 * units,
    places: () =>
      Int32Array.from({ length: 4 * batch * units }, (_, at) => {
        const row = at >> 2;
        if (at % 2 === 0) return row;
        const sequence = Math.floor(row / units);
        return (sequence + Number(at % 4 === 3)) * units + row;
      }),
  };
}
