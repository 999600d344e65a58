/** Any cell in engine memory. */
import type { CellDescription } from '../../core/model';
import type { Ops } from '../ops';
import { openGru } from './gru';
import { openLstm } from './lstm';
import { openSimpleRnn } from './simple-rnn';
import type { TensorCell } from './tensor-cell';

/**
 * The cell with its weights uploaded; the caller disposes it.
 *
 * @param ops - Operations.
 * @param description - The cell.
 */
export function openCell(ops: Ops, description: CellDescription): TensorCell {
  switch (description.kind) {
    case 'SimpleRNN':
      return openSimpleRnn(ops, description);
    case 'LSTM':
      return openLstm(ops, description);
    case 'GRU':
      return openGru(ops, description);
  }
}
