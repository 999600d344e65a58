/**
 * The names and parameters of activations, and their defaults.
 *
 * Apart from the values so that types can be imported without code.
 */

/** Activations by their canonical name; `hard_sigmoid` has its slope as a parameter because Keras 2 and 3 differ. */
export type ActivationName =
  | 'linear'
  | 'affine'
  | 'tanh'
  | 'scaled_tanh'
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
 * `hard_sigmoid`: clip(slope x + offset, 0, 1); slope 0.2 (Keras 2) or 1/6 (Keras 3), offset 0.5 but in ONNX.
 * `affine`: slope x + offset. `scaled_tanh`: alpha tanh(slope x).
 * `relu`: also `maxValue`, `negativeSlope`, `threshold`, as the Keras ReLU layer has them.
 * `alpha`: of elu, celu; the b of squareplus; the replacement value of `threshold`.
 */
export interface ActivationDescription {
  readonly name: ActivationName;
  readonly slope?: number;
  readonly offset?: number;
  readonly alpha?: number;
  readonly maxValue?: number;
  readonly negativeSlope?: number;
  readonly threshold?: number;
}

/** The parameters of an activation. */
export type ActivationParameters = Omit<ActivationDescription, 'name'>;

/** Parameters that a description may leave out, as Keras 3 has them; names without an entry have no parameters. */
export const ACTIVATION_DEFAULTS: Readonly<Partial<Record<ActivationName, ActivationParameters>>> = {
  affine: { slope: 1, offset: 0 },
  scaled_tanh: { alpha: 1, slope: 1 },
  hard_sigmoid: { slope: 1 / 6, offset: 0.5 },
  relu: { negativeSlope: 0, threshold: 0, maxValue: Infinity },
  leaky_relu: { negativeSlope: 0.2 },
  elu: { alpha: 1 },
  celu: { alpha: 1 },
  soft_shrink: { threshold: 0.5 },
  hard_shrink: { threshold: 0.5 },
  threshold: { threshold: 0, alpha: 0 },
  squareplus: { alpha: 4 },
};

/** Every activation name; the order has no meaning. */
export const ACTIVATION_NAMES: readonly ActivationName[] = [
  'linear',
  'affine',
  'tanh',
  'scaled_tanh',
  'sigmoid',
  'hard_sigmoid',
  'relu',
  'relu6',
  'leaky_relu',
  'elu',
  'selu',
  'celu',
  'gelu',
  'gelu_tanh',
  'exponential',
  'softplus',
  'softsign',
  'silu',
  'hard_silu',
  'mish',
  'log_sigmoid',
  'hard_tanh',
  'tanh_shrink',
  'soft_shrink',
  'hard_shrink',
  'threshold',
  'squareplus',
  'sparse_plus',
  'sparse_sigmoid',
  'softmax',
  'log_softmax',
  'sparsemax',
];

/** Activations that mix the units of a vector, and so have a full Jacobian. */
export type VectorActivationName = 'softmax' | 'log_softmax' | 'sparsemax';

/** Activations that act on each unit alone. */
export type ScalarActivationName = Exclude<ActivationName, VectorActivationName>;

/**
 * True when each unit's value depends on its own pre-activation only.
 *
 * @param name - Canonical name.
 */
export function isElementwise(name: ActivationName): name is ScalarActivationName {
  return name !== 'softmax' && name !== 'log_softmax' && name !== 'sparsemax';
}
