/**
 * The names and parameters of activations; values and derivatives are in this module too.
 *
 * Derivatives are taken at the pre-activation: 1 - y^2 loses all digits once a tanh is saturated.
 */

/** Activations by their canonical name; `hard_sigmoid` has its slope as a parameter because Keras 2 and 3 differ. */
export type ActivationName =
  | 'linear'
  | 'tanh'
  | 'sigmoid'
  | 'hard_sigmoid'
  | 'relu'
  | 'relu6'
  | 'leaky_relu'
  | 'elu'
  | 'selu'
  | 'celu'
  | 'gelu'
  | 'gelu_tanh'
  | 'exponential'
  | 'softplus'
  | 'softsign'
  | 'silu'
  | 'hard_silu'
  | 'mish'
  | 'log_sigmoid'
  | 'hard_tanh'
  | 'tanh_shrink'
  | 'soft_shrink'
  | 'hard_shrink'
  | 'threshold'
  | 'squareplus'
  | 'sparse_plus'
  | 'sparse_sigmoid'
  | 'softmax'
  | 'log_softmax'
  | 'sparsemax';

/**
 * An activation with its parameters; those left out have the defaults of `ACTIVATION_DEFAULTS`.
 *
 * `hard_sigmoid`: clip(slope x + 0.5, 0, 1); slope 0.2 (Keras 2) or 1/6 (Keras 3).
 * `relu`: also `maxValue`, `negativeSlope`, `threshold`, as the Keras ReLU layer has them.
 */
export interface ActivationDescription {
  readonly name: ActivationName;
  readonly slope?: number;
  readonly alpha?: number;
  readonly maxValue?: number;
  readonly negativeSlope?: number;
  readonly threshold?: number;
}
