/**
 * Initial states from the user's file, one per direction.
 */
import { TempogradError } from '../core/errors';
import { cellsOf } from '../core/model';
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
  checkState('h0', h0, batch, widthOf(cells));
  if (withCell.length > 0 && !c0) {
    throw new TempogradError('input/shape-mismatch', 'the initial state of an LSTM needs h0 and c0', {
      details: { missing: 'c0' },
    });
  }
  if (withCell.length > 0) checkState('c0', c0!, batch, widthOf(withCell));
  const states: Partial<Record<'forward' | 'backward', InitialState>> = {};
  let [startH, startC] = [0, 0];
  for (const { direction, cell } of cells) {
    const hasCell = cell.kind === 'LSTM';
    states[direction] = {
      h0: columns(h0, startH, cell.units),
      c0: hasCell ? columns(c0!, startC, cell.units) : null,
    };
    startH += cell.units;
    if (hasCell) startC += cell.units;
  }
  return states;
}

function widthOf(cells: ReturnType<typeof cellsOf>): number {
  return cells.reduce((sum, { cell }) => sum + cell.units, 0);
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
