/** Any cell in engine memory, with a float64 twin for what float32 is too coarse for. */
import type { CellDescription } from '../../core/model';
import type { Ops } from '../ops';
import { openDoubleOps } from '../ops/double-ops';
import { openGru } from './gru';
import { openLstm } from './lstm';
import { openSimpleRnn } from './simple-rnn';
import type { BareCell, DoubleCell, TensorCell } from './tensor-cell';

/**
 * The cell with its weights uploaded; the caller disposes it.
 *
 * @param ops - Operations.
 * @param description - The cell.
 */
export function openCell(ops: Ops, description: CellDescription): TensorCell {
  const cell = openBare(ops, description);
  let twin: DoubleCell | null = null;
  return {
    ...cell,
    twin() {
      if (!twin) {
        const doubles = openDoubleOps(ops);
        twin = { doubles, cell: openBare(doubles.ops, description) };
      }
      return twin;
    },
    dispose() {
      cell.dispose();
      twin?.cell.dispose();
    },
  };
}

function openBare(ops: Ops, description: CellDescription): BareCell {
  switch (description.kind) {
    case 'SimpleRNN':
      return openSimpleRnn(ops, description);
    case 'LSTM':
      return openLstm(ops, description);
    case 'GRU':
      return openGru(ops, description);
  }
}
