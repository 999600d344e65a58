/** Population statistics of the blocks of a weight tensor, as `inspect` prints them. */
import { frobeniusNorm } from '../linalg/scaling';
import { spectralNorm } from '../linalg/spectral-norm';
import type { CellKind } from '../model';
import type { GateStatistics } from '../summary';
import type { RealTensor } from '../tensor';
import { blockNames, eachColumnBlock } from './gate-blocks';

/**
 * min, max, mean, standard deviation (ddof 0), L2 norm and largest singular value of a block.
 *
 * Numbers that are not finite make the statistics that depend on them null.
 *
 * @param data - `[rows, columns]` row-major.
 * @param rows - Rows.
 * @param columns - Columns.
 * @param isMatrix - False for a bias, whose spectral norm is null.
 */
export function blockStatistics(
  data: RealTensor['data'],
  rows: number,
  columns: number,
  isMatrix: boolean,
): GateStatistics {
  if (data.length === 0 || !data.every(Number.isFinite)) {
    return { min: null, max: null, mean: null, std: null, l2: null, spectralNorm: null };
  }
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  for (const value of data) {
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
  }
  const mean = sum / data.length;
  let squares = 0;
  for (const value of data) squares += (value - mean) ** 2;
  return {
    min,
    max,
    mean,
    std: Math.sqrt(squares / data.length),
    l2: frobeniusNorm(data),
    spectralNorm: isMatrix ? spectralNorm(data, rows, columns) : null,
  };
}

/**
 * The statistics of each gate's block of a kernel, recurrent kernel or bias.
 *
 * @param tensor - `[D, G*H]`, `[H, G*H]`, `[G*H]` or `[2, G*H]` in canonical order.
 * @param kind - Kind of cell.
 * @param role - A bias has no spectral norm.
 * @param gates - The gates that are wanted; left out for all.
 * @returns Gate name (i f g o, z r n, h) to statistics.
 */
export function weightStatistics(
  tensor: RealTensor,
  kind: CellKind,
  role: 'kernel' | 'recurrent_kernel' | 'bias',
  gates: readonly string[] | null = null,
): Readonly<Record<string, GateStatistics>> {
  return columnStatistics(tensor, blockNames(kind), role !== 'bias', gates);
}

/**
 * The statistics of each block of a tensor whose columns are those of some gates.
 *
 * @param tensor - `[rows, names * H]` or `[names * H]`.
 * @param names - The gates, in the tensor's order.
 * @param isMatrix - False for vectors, whose spectral norm is null.
 * @param wanted - The gates that are wanted; left out for all.
 * @returns Gate name to statistics.
 */
export function columnStatistics(
  tensor: RealTensor,
  names: readonly string[],
  isMatrix: boolean,
  wanted: readonly string[] | null = null,
): Readonly<Record<string, GateStatistics>> {
  const statistics: Record<string, GateStatistics> = {};
  for (const { gate, data, rows, columns } of eachColumnBlock(tensor, names)) {
    if (wanted === null || wanted.includes(gate)) statistics[gate] = blockStatistics(data, rows, columns, isMatrix);
  }
  return statistics;
}
