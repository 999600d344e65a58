/**
 * Losses of a head's output, with their derivative by it; means over the entries of a sequence, as Keras and PyTorch take
 * them.
 */
import { activate } from '../activations';

/** The losses, by the name that `--loss` takes. */
export const LOSS_NAMES = ['mse', 'mae', 'huber', 'cross-entropy', 'binary-cross-entropy'] as const;

/** A loss. */
export type LossName = (typeof LOSS_NAMES)[number];

/** A loss at one output. */
export interface LossAtOutput {
  readonly value: number;
  /** dL/dy, `[O]`. */
  readonly gradient: Float64Array;
}

type Loss = (output: Float64Array, target: Float64Array) => LossAtOutput;

/** Where the error of the Huber loss becomes linear, as in Keras and PyTorch. */
const HUBER_DELTA = 1;

/** A mean over entries of a function of y - t, from its value and derivative. */
function meanOfErrors(value: (error: number) => number, derivative: (error: number) => number): Loss {
  return (output, target) => {
    const errors = output.map((y, o) => y - target[o]);
    return {
      value: errors.reduce((sum, error) => sum + value(error), 0) / errors.length,
      gradient: errors.map((error) => derivative(error) / errors.length),
    };
  };
}

/** -sum_o t_o ln softmax(y)_o. */
function crossEntropy(output: Float64Array, target: Float64Array): LossAtOutput {
  const logs = activate({ name: 'log_softmax' }, output);
  const shares = activate({ name: 'softmax' }, output);
  const total = target.reduce((sum, share) => sum + share, 0);
  let value = 0;
  for (let o = 0; o < logs.length; o++) if (target[o] !== 0) value -= target[o] * logs[o];
  return { value, gradient: shares.map((share, o) => total * share - target[o]) };
}

/** mean_o ln(1 + exp(y)) - t y. */
function binaryCrossEntropy(output: Float64Array, target: Float64Array): LossAtOutput {
  const softplus = activate({ name: 'softplus' }, output);
  const shares = activate({ name: 'sigmoid' }, output);
  const count = output.length;
  return {
    value: softplus.reduce((sum, value, o) => sum + value - target[o] * output[o], 0) / count,
    gradient: shares.map((share, o) => (share - target[o]) / count),
  };
}

const LOSSES: Readonly<Record<LossName, Loss>> = {
  mse: meanOfErrors(
    (error) => error * error,
    (error) => 2 * error,
  ),
  mae: meanOfErrors(Math.abs, Math.sign),
  huber: meanOfErrors(
    (error) => {
      const size = Math.abs(error);
      return size <= HUBER_DELTA ? (error * error) / 2 : HUBER_DELTA * (size - HUBER_DELTA / 2);
    },
    (error) => Math.max(-HUBER_DELTA, Math.min(HUBER_DELTA, error)),
  ),
  'cross-entropy': crossEntropy,
  'binary-cross-entropy': binaryCrossEntropy,
};

/**
 * L(y, t) of one sequence and dL/dy.
 *
 * mse, mae, huber (delta 1): means over the entries. cross-entropy: -sum t ln softmax(y); binary-cross-entropy: the mean
 * of -t ln sigmoid(y) - (1 - t) ln(1 - sigmoid(y)); both take y before its softmax or sigmoid, so that nothing is lost
 * where those are saturated.
 *
 * Numerics: float64. Source: the losses of Keras 3 and PyTorch by these names, without Keras's clipping of probabilities
 * to 1e-7.
 *
 * @param name - Which.
 * @param output - y, `[O]`.
 * @param target - t, `[O]`.
 */
export function lossAt(name: LossName, output: Float64Array, target: Float64Array): LossAtOutput {
  return LOSSES[name](output, target);
}
