/**
 * What optimizers keep beside weights, told by the names that they give it.
 *
 * Source: the slots of tf.compat.v1.train and tf.keras.optimizers, keras/src/optimizers, and the states of optax.
 */

const OPTIMIZERS = 'Adam(W|ax)?|NAdam|Nadam|RMSProp|RMSprop|SGD|Momentum|Adagrad|AdagradDA|Adadelta|Ftrl|Lion|Lamb';

const SLOTS: readonly RegExp[] = [
  // `lstm/kernel/Adam_1`
  new RegExp(`/(${OPTIMIZERS}|AdamOptimizer|ExponentialMovingAverage)(_\\d+)?$`),
  // `Adam/m/lstm/kernel`
  new RegExp(`^(${OPTIMIZERS})(_\\d+)?/(m|v|vhat|rms|momentum|accumulator)/`),
  // `training/Adam/lstm/kernel/m`
  new RegExp(`^train(ing|_op)?/(${OPTIMIZERS})(_\\d+)?/`),
  // `adam/lstm_lstm_cell_kernel_velocity`
  new RegExp(`^(${OPTIMIZERS})(_\\d+)?/\\w+_(momentum|velocity|accumulator|velocity_hat)$`, 'i'),
  // `opt_state/0/mu/lstm/kernel`
  /(^|\/)opt_state\/(.*\/)?(mu|nu|trace)\//,
  /(^|\/)beta[12]_power(_\d+)?$/,
];

/**
 * Whether a variable is an optimizer's.
 *
 * @param name - Its name, parts joined by slashes.
 */
export function isOptimizerSlot(name: string): boolean {
  return SLOTS.some((slot) => slot.test(name));
}
