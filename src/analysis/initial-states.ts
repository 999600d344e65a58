/**
 * Initial states of a layer that is fed directly: the user's own, or those that the file stores as numbers.
 */
import { TempogradError } from '../core/errors';
import { cellsOf, hiddenSize, type RecurrentModel } from '../core/model';
import type { RealTensor } from '../core/tensor';
import type { InitialState, LayerInput } from '../engine/engine';
import type { FoundLayer } from './find-layer';
import type { RunData } from './size-run';

/**
 * Initial states from the user's file, one per direction; none when there is no file.
 *
 * @param found - The layer.
 * @param data - Files already read.
 * @param batch - B.
 * @throws TempogradError `input/shape-mismatch`.
 */
export function initialStates(found: FoundLayer, data: RunData, batch: number): LayerInput['initialState'] {
  if (!data.initialState) return {};
  const cells = cellsOf(found.layer.operation);
  const { h0, c0 } = data.initialState;
  const withCell = cells.filter(({ cell }) => cell.kind === 'LSTM');
  checkState('h0', h0, batch, sumOf(cells.map(({ cell }) => hiddenSize(cell))));
  if (withCell.length > 0 && !c0) {
    throw new TempogradError('input/shape-mismatch', 'the initial state of an LSTM needs h0 and c0', {
      details: { missing: 'c0' },
    });
  }
  if (withCell.length > 0) checkState('c0', c0!, batch, sumOf(withCell.map(({ cell }) => cell.units)));
  const states: Partial<Record<'forward' | 'backward', InitialState>> = {};
  let [startH, startC] = [0, 0];
  for (const { direction, cell } of cells) {
    const hasCell = cell.kind === 'LSTM';
    states[direction] = {
      h0: columns(h0, startH, hiddenSize(cell)),
      c0: hasCell ? columns(c0!, startC, cell.units) : null,
    };
    startH += hiddenSize(cell);
    if (hasCell) startC += cell.units;
  }
  return states;
}

/**
 * Initial states that are constants of the file, one per direction; none where they come from other layers.
 *
 * @param model - The model.
 * @param found - The layer.
 * @param batch - B; a stored row stands for every sequence.
 * @throws TempogradError `input/shape-mismatch` when they are stored for another batch.
 */
export function storedStates(model: RecurrentModel, found: FoundLayer, batch: number): LayerInput['initialState'] {
  const stored = found.layer.operation.initialState.map(({ layer }) => {
    const { name, operation } = model.layers[layer]!;
    return operation.kind === 'constant' ? { name, value: operation.value } : null;
  });
  const states: Partial<Record<'forward' | 'backward', InitialState>> = {};
  for (const { direction, cell } of cellsOf(found.layer.operation)) {
    const [h, c] = stored.splice(0, cell.kind === 'LSTM' ? 2 : 1);
    if (!h || (cell.kind === 'LSTM' && !c)) continue;
    states[direction] = {
      h0: storedState(h.name, h.value, batch, hiddenSize(cell)),
      c0: c ? storedState(c.name, c.value, batch, cell.units) : null,
    };
  }
  return states;
}

/** `[B, width]` from `[B or 1, width]`. */
function storedState(name: string, value: RealTensor, batch: number, width: number): RealTensor {
  if (value.shape[0] !== 1) {
    checkState(name, value, batch, width);
    return value;
  }
  checkState(name, value, 1, width);
  const data = new Float64Array(batch * width);
  for (let row = 0; row < batch; row++) data.set(value.data, row * width);
  return { shape: [batch, width], data };
}

function sumOf(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}

function checkState(name: string, { shape }: RealTensor, batch: number, width: number): void {
  if (shape.length === 2 && shape[0] === batch && shape[1] === width) return;
  const message = `${name} has shape [${shape.join(', ')}], expected [${batch}, ${width}]`;
  throw new TempogradError('input/shape-mismatch', message, {
    details: { tensor: name, actual: [...shape], expected: [batch, width] },
  });
}

function columns(tensor: RealTensor, start: number, count: number): RealTensor {
  const [rows, width] = [tensor.shape[0]!, tensor.shape[1]!];
  const data = new Float64Array(rows * count);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < count; column++)
      data[row * count + column] = tensor.data[row * width + start + column]!;
  }
  return { shape: [rows, count], data };
}
