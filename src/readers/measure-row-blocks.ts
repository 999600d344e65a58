/**
 * Weights that are measured while they are read, gate by gate, and not kept: a list of layers needs no more of them.
 *
 * The numbers are those of `weightStatistics` on the tensor in canonical layout, to the last bit: each gate's block is
 * turned as it would be there. In memory are one block and a piece of the file.
 */
import { blockStatistics } from '../core/diagnostics/weight-statistics';
import type { GateStatistics } from '../core/summary';
import type { RealTensor } from '../core/tensor';
import type { Reading } from './reading';
import type { StoredTensor } from './stored-tensor';
import { admitTensor, countNotFinite, warnNotFinite } from './take-tensor';

/** Read at a time. */
const PIECE_NUMBERS = 1 << 18;

/**
 * The statistics of each gate of a tensor `[G*H, K]` that has a block of rows for each gate.
 *
 * @param tensor - Where it lies.
 * @param order - For each canonical block the number of the file's block.
 * @param names - The gates in canonical order.
 * @param layer - Whose it is, for messages.
 * @param reading - The reading.
 * @throws TempogradError as `takeTensor`.
 */
export async function measureRowBlocks(
  tensor: StoredTensor,
  order: readonly number[],
  names: readonly string[],
  layer: string,
  reading: Reading,
): Promise<Readonly<Record<string, GateStatistics>>> {
  const [rows = 0, columns = 0] = tensor.shape;
  admitTensor(tensor, reading);
  const readRows = tensor.openRows ? await tensor.openRows() : rowsOf((await tensor.read()).data, columns);
  const blockRows = rows / order.length;
  const pieceRows = Math.max(1, Math.floor(PIECE_NUMBERS / Math.max(columns, 1)));
  const statistics: Record<string, GateStatistics> = {};
  let block: RealTensor['data'] | null = null;
  let notFinite = 0;
  for (const [index, from] of order.entries()) {
    for (let done = 0; done < blockRows; done += pieceRows) {
      const count = Math.min(pieceRows, blockRows - done);
      const piece = readRows(from * blockRows + done, count);
      const size = blockRows * columns;
      block ??= piece instanceof Float64Array ? new Float64Array(size) : new Float32Array(size);
      putTurned(piece, count, columns, block, blockRows, done);
    }
    block ??= new Float32Array(0);
    notFinite += countNotFinite(block);
    statistics[names[index] ?? ''] = blockStatistics(block, columns, blockRows, true);
  }
  warnNotFinite(notFinite, tensor, layer, reading);
  return statistics;
}

function rowsOf(data: RealTensor['data'], columns: number): (start: number, count: number) => RealTensor['data'] {
  return (start, count) => data.subarray(start * columns, (start + count) * columns);
}

/** Rows `[count, columns]` as columns of `[columns, blockRows]`, from one of them on. */
function putTurned(
  piece: RealTensor['data'],
  count: number,
  columns: number,
  block: RealTensor['data'],
  blockRows: number,
  start: number,
): void {
  for (let column = 0; column < columns; column++) {
    const target = column * blockRows + start;
    for (let row = 0; row < count; row++) block[target + row] = piece[row * columns + column] ?? NaN;
  }
}
