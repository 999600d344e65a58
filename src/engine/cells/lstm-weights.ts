/** The weights of an LSTM in engine memory, peepholes and projection included, and its gates from them. */
import type { LstmCell } from '../../core/model';
import type { Ops, Value } from '../ops';
import { gateValue } from './gate-derivative';
import type { StepPoints } from './tensor-cell';
import { uploadWeights, type CellWeights } from './weights';

/** p_i, p_f, p_o, each `[H]`. */
export type Peepholes = readonly [Value, Value, Value];

/** Uploaded weights; all are freed by `dispose`. */
export interface LstmWeights extends CellWeights {
  readonly peepholes: Peepholes | null;
  /** `[H, P]` */
  readonly projection: Value | null;
  /** `[P, H]` */
  readonly projectionRows: Value | null;
  /** The four sums before their activation, peepholes included, `[N, 4H]`. */
  sums(points: StepPoints): Value;
}

/** Gate values, each `[N, H]`. */
export type LstmGates = Readonly<Record<'i' | 'f' | 'g' | 'o', Value>>;

/**
 * The weights of an LSTM.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 */
export function uploadLstm(ops: Ops, cell: LstmCell): LstmWeights {
  const { units, projection } = cell;
  const weights = uploadWeights(ops, cell, 4);
  const peepholes = uploadPeepholes(ops, cell);
  const projected = projection ? ops.keep(ops.upload(projection.data, projection.shape)) : null;
  const projectionRows = projected ? ops.keep(ops.transpose(projected, [1, 0])) : null;
  return {
    ...weights,
    peepholes,
    projection: projected,
    projectionRows,
    sums: ({ x, hPrevious, cPrevious, c }) => {
      const plain = weights.preActivations(x, hPrevious);
      if (!peepholes) return plain;
      return ops.tidy(() => {
        const [input, forget, output] = peepholes;
        const before = cPrevious as Value;
        const none = ops.fill([before.shape[0], units], 0);
        const seen = [ops.mul(before, input), ops.mul(before, forget), none, ops.mul(c as Value, output)];
        return ops.add(plain, ops.concat(seen, 1));
      });
    },
    dispose() {
      weights.dispose();
      for (const value of [...(peepholes ?? []), projected, projectionRows]) if (value) ops.dispose(value);
    },
  };
}

function uploadPeepholes(ops: Ops, { units, peepholes }: LstmCell): Peepholes | null {
  if (!peepholes) return null;
  const part = (block: number): Value =>
    ops.keep(ops.upload(peepholes.data.subarray(block * units, (block + 1) * units), [units]));
  return [part(0), part(1), part(2)];
}

/**
 * The gates from their sums; the forget gate is 1 - i where the cell says so.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param sums - `[N, H]` of i f g o.
 */
export function lstmGates(ops: Ops, cell: LstmCell, sums: readonly Value[]): LstmGates {
  const { activation, recurrentActivation, clip, inputForget } = cell;
  const i = gateValue(ops, recurrentActivation, clip, sums[0]);
  return {
    i,
    f: inputForget ? ops.sub(ops.constant(1), i) : gateValue(ops, recurrentActivation, clip, sums[1]),
    g: gateValue(ops, activation, clip, sums[2]),
    o: gateValue(ops, recurrentActivation, clip, sums[3]),
  };
}
