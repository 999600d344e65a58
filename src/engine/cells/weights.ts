/**
 * The weights of a cell in engine memory, and the products that every cell needs of them.
 *
 * Keras keeps kernels transposed, `[D, G*H]` and `[P, G*H]` with P units of h: rows of states times kernel give rows of pre-activations.
 */
import { hiddenSize, type CellDescription } from '../../core/model';
import type { Ops, Value } from '../ops';

/** Uploaded weights; all are freed by `dispose`. */
export interface CellWeights {
  /** `[D, G*H]` */
  readonly kernel: Value;
  /** `[P, G*H]` */
  readonly recurrentKernel: Value;
  /** `[G*H]`; the sum of both rows for a GRU with resetAfter, whose candidate block is of the input row alone. */
  readonly bias: Value;
  /** Kernel above recurrent kernel, `[D+P, G*H]`; uploaded when first needed. */
  joined(): Value;
  /** One row per unit, recurrent kernel then kernel, `[G*H, P+D]`; uploaded when first needed. */
  joinedRows(): Value;
  /** W x + b, `[n, B, G*H]` for x `[n, B, D]`. */
  inputPart(x: Value): Value;
  /** W x + U h + b, `[N, G*H]`. */
  preActivations(x: Value, hPrevious: Value): Value;
  dispose(): void;
}

/**
 * The weights of a cell.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param gates - G.
 */
export function uploadWeights(ops: Ops, cell: CellDescription, gates: number): CellWeights {
  const { units, inputDim } = cell;
  const width = gates * units;
  const kernel = ops.keep(ops.upload(cell.kernel.data, [inputDim, width]));
  const recurrentKernel = ops.keep(ops.upload(cell.recurrentKernel.data, [hiddenSize(cell), width]));
  const bias = ops.keep(ops.upload(biasOf(cell, width), [width]));
  let joined: Value | null = null;
  let joinedRows: Value | null = null;
  const stack = (): Value => {
    joined ??= ops.keep(ops.concat([kernel, recurrentKernel], 0));
    return joined;
  };
  return {
    kernel,
    recurrentKernel,
    bias,
    joined: stack,
    joinedRows() {
      joinedRows ??= ops.keep(ops.tidy(() => ops.transpose(ops.concat([recurrentKernel, kernel], 0), [1, 0])));
      return joinedRows;
    },
    inputPart(x) {
      const [steps, batch] = x.shape;
      return ops.tidy(() => {
        const rows = ops.matMul(ops.reshape(x, [steps * batch, inputDim]), kernel);
        return ops.reshape(ops.add(rows, bias), [steps, batch, width]);
      });
    },
    preActivations: (x, hPrevious) => ops.tidy(() => ops.add(ops.matMul(ops.concat([x, hPrevious], 1), stack()), bias)),
    dispose() {
      ops.dispose(kernel, recurrentKernel, bias);
      if (joined) ops.dispose(joined);
      if (joinedRows) ops.dispose(joinedRows);
    },
  };
}

/** `[G*H]`, zeros without bias. */
function biasOf(cell: CellDescription, width: number): Float64Array {
  const bias = new Float64Array(width);
  if (cell.bias) bias.set(cell.bias.data.subarray(0, width));
  if (cell.bias && cell.kind === 'GRU' && cell.resetAfter) {
    const inGates = 2 * cell.units;
    for (let column = 0; column < inGates; column++) bias[column] += cell.bias.data[width + column];
  }
  return bias;
}
