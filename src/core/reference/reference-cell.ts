/** The float64 cell of any description, and one step of it for callers who do not mind an allocation. */
import type { CellDescription } from '../model';
import {
  newCellStep,
  newStepJacobians,
  type CellState,
  type CellStep,
  type ReferenceCell,
  type StepJacobians,
} from './cell';
import { makeGru } from './gru';
import { makeLstm } from './lstm';
import { makeSimpleRnn } from './simple-rnn';

/**
 * The float64 cell of a description, its weights converted once.
 *
 * @param description - A cell in canonical layout.
 */
export function makeReferenceCell(description: CellDescription): ReferenceCell {
  switch (description.kind) {
    case 'SimpleRNN':
      return makeSimpleRnn(description);
    case 'LSTM':
      return makeLstm(description);
    case 'GRU':
      return makeGru(description);
  }
}

/**
 * h_t (and c_t), gates and pre-activations of one step.
 *
 * @param cell - The cell.
 * @param x - x_t, `[D]`.
 * @param previous - The state before the step.
 * @returns New arrays.
 */
export function stepCell(cell: ReferenceCell, x: Float64Array, previous: CellState): CellStep {
  const out = newCellStep(cell);
  cell.step(x, previous, out);
  return out;
}

/**
 * A = ds_t/ds_{t-1} `[S, S]` and B = ds_t/dx_t `[S, D]` of one step, with s = h or h then c.
 *
 * @param cell - The cell.
 * @param x - x_t, `[D]`.
 * @param previous - The state before the step.
 * @returns New arrays.
 */
export function stepJacobians(cell: ReferenceCell, x: Float64Array, previous: CellState): StepJacobians {
  const out = newStepJacobians(cell);
  cell.linearise(x, previous, out, 'both');
  return out;
}
