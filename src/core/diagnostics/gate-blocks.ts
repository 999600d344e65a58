/** The blocks of a weight tensor by gate, in the names of every output: i f g o, z r n, h. */
import { gateNames, type CellDescription, type CellKind } from '../model';
import type { RealTensor } from '../tensor';

/** One gate's block. */
export interface GateBlock {
  readonly gate: string;
  /** Rows; 1 for a bias, 2 for the bias of a GRU with resetAfter. */
  readonly rows: number;
  /** H */
  readonly columns: number;
  /** `[rows, columns]` row-major. */
  readonly data: Float64Array;
}

/**
 * The names of a cell's weight blocks: i f g o, z r n, or h for a SimpleRNN.
 *
 * @param kind - Kind of cell.
 */
export function blockNames(kind: CellKind): readonly string[] {
  return kind === 'SimpleRNN' ? ['h'] : gateNames(kind);
}

/**
 * The blocks `[rows, H]` of a kernel or bias `[rows, G*H]`, one per gate.
 *
 * @param tensor - `[D, G*H]`, `[H, G*H]`, `[G*H]` or `[2, G*H]` in canonical order.
 * @param kind - Kind of cell.
 */
export function gateBlocks(tensor: RealTensor, kind: CellKind): readonly GateBlock[] {
  return columnBlocks(tensor, blockNames(kind));
}

/**
 * The blocks of a tensor whose columns are those of some gates, side by side.
 *
 * @param tensor - `[rows, names * H]` or `[names * H]`.
 * @param names - The gates, in the tensor's order.
 */
export function columnBlocks(tensor: RealTensor, names: readonly string[]): readonly GateBlock[] {
  return Array.from(eachColumnBlock(tensor, names), (block) => ({ ...block, data: Float64Array.from(block.data) }));
}

/** One gate's block as it is lent: in the tensor's own kind of numbers, and only until the next one is asked for. */
export interface LentBlock extends Omit<GateBlock, 'data'> {
  readonly data: RealTensor['data'];
}

/**
 * The same blocks, one after the other in the same memory: all of a large tensor together are twice its size.
 *
 * @param tensor - `[rows, names * H]` or `[names * H]`.
 * @param names - The gates, in the tensor's order.
 */
export function* eachColumnBlock(tensor: RealTensor, names: readonly string[]): Generator<LentBlock> {
  const width = tensor.shape[tensor.shape.length - 1];
  const rows = width === 0 ? 0 : tensor.data.length / width;
  const columns = width / names.length;
  const isDouble = tensor.data instanceof Float64Array;
  const data = isDouble ? new Float64Array(rows * columns) : new Float32Array(rows * columns);
  for (const [k, gate] of names.entries()) {
    for (let row = 0; row < rows; row++) {
      const start = row * width + k * columns;
      data.set(tensor.data.subarray(start, start + columns), row * columns);
    }
    yield { gate, rows, columns, data };
  }
}

/**
 * The blocks U_k `[H, H]` of the recurrent kernel, one per gate, with rows as they act: h_t = U h_{t-1}.
 *
 * @param cell - The cell; its stored kernel is transposed.
 */
export function recurrentMatrices(cell: CellDescription): readonly GateBlock[] {
  return gateBlocks(cell.recurrentKernel, cell.kind).map((block) => {
    const data = new Float64Array(block.data.length);
    for (let row = 0; row < block.rows; row++) {
      for (let column = 0; column < block.columns; column++) {
        data[column * block.rows + row] = block.data[row * block.columns + column];
      }
    }
    return { ...block, data };
  });
}
