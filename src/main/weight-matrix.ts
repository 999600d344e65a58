/**
 * One gate's block of one weight tensor, as the window draws it.
 */
import { TempogradError } from '../core/errors';
import { isRecurrent, cellsOf, gateNames, type CellDescription, type RecurrentModel } from '../core/model';
import type { RealTensor } from '../core/tensor';
import type { RequestInput, RequestResults } from '../shared/contract';

/** The one block of a SimpleRNN, as the matrix diagnostics name it too. */
const SINGLE_GATE = 'h';

/**
 * The block as rows and columns: `[D, H]` of a kernel, `[H, H]` of a recurrent kernel, `[1, H]` or `[2, H]` of a bias.
 *
 * @param model - The open model.
 * @param input - Layer, direction, role and gate (`gateNames`; `h` for SimpleRNN).
 * @throws TempogradError `cell/no-such-layer` when the model has no such layer, direction, tensor or gate.
 */
export function weightMatrix(
  model: RecurrentModel,
  input: RequestInput<'weightMatrix'>,
): RequestResults['weightMatrix'] {
  const layer = model.layers.find((candidate) => candidate.name === input.layer);
  const cells = layer && isRecurrent(layer) ? cellsOf(layer.operation) : [];
  const cell = cells.find(({ direction }) => direction === input.direction)?.cell;
  if (!cell) throw missing(input, `there is no recurrent layer ${input.layer} with a ${input.direction} cell`);
  const tensor = tensorOf(cell, input.role);
  if (!tensor) throw missing(input, `layer ${input.layer} has no ${input.role}`);
  const names = gateNames(cell.kind);
  const gate = names.length === 0 ? [SINGLE_GATE].indexOf(input.gate) : names.indexOf(input.gate);
  if (gate < 0) throw missing(input, `a ${cell.kind} has no gate ${input.gate}`);
  return columnsOf(tensor, gate * cell.units, cell.units);
}

function tensorOf(cell: CellDescription, role: RequestInput<'weightMatrix'>['role']): RealTensor | null {
  if (role === 'kernel') return cell.kernel;
  return role === 'recurrent_kernel' ? cell.recurrentKernel : cell.bias;
}

function columnsOf(tensor: RealTensor, start: number, columns: number): RequestResults['weightMatrix'] {
  const width = tensor.shape[tensor.shape.length - 1]!;
  const rows = tensor.data.length / width;
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    data.set(tensor.data.subarray(row * width + start, row * width + start + columns), row * columns);
  }
  return { rows, columns, data };
}

function missing(input: RequestInput<'weightMatrix'>, reason: string): TempogradError {
  return new TempogradError('cell/no-such-layer', `No weights to show: ${reason}`, { details: { ...input } });
}
