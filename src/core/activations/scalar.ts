/**
 * Elementwise activations: value and derivative, both as functions of the pre-activation, in float64.
 *
 * Derivatives never come from the value: 1 - y^2 has lost all digits once a tanh is saturated (method.md 2.1).
 * At a kink the derivative is the one that TensorFlow takes. One table row is one rule.
 */
import { ACTIVATION_DEFAULTS, type ActivationDescription, type ScalarActivationName } from './description';
import { normalDensity, normalDistribution } from './error-function';
import { tanh } from './hyperbolic';

/** Value and derivative of an elementwise activation, as functions of the pre-activation. */
export interface ScalarActivation {
  readonly value: (a: number) => number;
  readonly derivative: (a: number) => number;
}

/** Source: Klambauer et al., Self-Normalizing Neural Networks, 2017 (arXiv 1706.02515), section 2. */
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

/** 1 / (1 + exp(-a)) without overflow, with full relative precision in the lower tail. */
function sigmoid(a: number): number {
  if (a >= 0) return 1 / (1 + Math.exp(-a));
  const e = Math.exp(a);
  return e / (1 + e);
}

/** sigmoid'(a) = e/(1+e)^2 with e = exp(-|a|). */
function sigmoidDerivative(a: number): number {
  const e = Math.exp(-Math.abs(a));
  return e / ((1 + e) * (1 + e));
}

/** tanh'(a) = 4e/(1+e)^2 with e = exp(-2|a|). */
function tanhDerivative(a: number): number {
  const e = Math.exp(-2 * Math.abs(a));
  return (4 * e) / ((1 + e) * (1 + e));
}

/** ln(1 + exp(a)). */
function softplus(a: number): number {
  return Math.log1p(Math.exp(-Math.abs(a))) + Math.max(a, 0);
}

/** tanh(softplus(a)) = (1 - s^2)/(1 + s^2) with s = sigmoid(-a), where 1 - s = sigmoid(a) keeps the digits. */
function tanhSoftplus(a: number): number {
  const s = sigmoid(-a);
  return (sigmoid(a) * (1 + s)) / (1 + s * s);
}

/** The inner function of the tanh form of GELU, k(a) = sqrt(2/pi) (a + 0.044715 a^3). */
function geluInner(a: number): number {
  return Math.sqrt(2 / Math.PI) * a * (1 + 0.044715 * a * a);
}

const step = (isPassed: boolean): number => (isPassed ? 1 : 0);

type Factory = (p: Required<Omit<ActivationDescription, 'name'>>) => ScalarActivation;

/** Keras 2 clips (ends included in the slope), Keras 3 uses relu6 (ends excluded): so TensorFlow differentiates them. */
function hardSigmoid(slope: number, offset: number): ScalarActivation {
  const includesEnds = Math.abs(slope - 1 / 6) > 1e-6;
  return {
    value: (a) => Math.min(Math.max(slope * a + offset, 0), 1),
    derivative: (a) => {
      const y = slope * a + offset;
      return includesEnds ? (y >= 0 && y <= 1 ? slope : 0) : y > 0 && y < 1 ? slope : 0;
    },
  };
}

/** ReLU of the Keras layer: x above the threshold (at most maxValue), negativeSlope (x - threshold) below. */
function relu(p: Required<Omit<ActivationDescription, 'name'>>): ScalarActivation {
  const { negativeSlope, threshold, maxValue } = p;
  const isLeaky = negativeSlope !== 0 && threshold === 0 && maxValue === Infinity;
  return {
    value: (a) => (a > threshold ? Math.min(a, maxValue) : Number.isNaN(a) ? NaN : negativeSlope * (a - threshold)),
    derivative: (a) => {
      if (a > threshold) return maxValue === 6 ? step(a < 6) : step(a <= maxValue);
      return a < threshold || isLeaky ? negativeSlope : 0;
    },
  };
}

/**
 * Every elementwise activation. Source: Keras 3.15 `keras.activations` with its TensorFlow backend, and tf-keras 2.18
 * for hard_sigmoid with slope 0.2; `affine`, `scaled_tanh`: ONNX operators RNN, GRU, LSTM, attribute `activations`; GELU: Hendrycks and Gimpel 1606.08415; Mish: Misra 1908.08681.
 */
const SCALAR_ACTIVATIONS: Readonly<Record<ScalarActivationName, Factory>> = {
  linear: () => ({ value: (a) => a, derivative: () => 1 }),
  affine: ({ slope, offset }) => ({ value: (a) => slope * a + offset, derivative: () => slope }),
  tanh: () => ({ value: tanh, derivative: tanhDerivative }),
  scaled_tanh: ({ alpha, slope }) => ({
    value: (a) => alpha * tanh(slope * a),
    derivative: (a) => alpha * slope * tanhDerivative(slope * a),
  }),
  sigmoid: () => ({ value: sigmoid, derivative: sigmoidDerivative }),
  hard_sigmoid: (p) => hardSigmoid(p.slope, p.offset),
  relu,
  relu6: () => ({ value: (a) => Math.min(Math.max(a, 0), 6), derivative: (a) => step(a > 0 && a < 6) }),
  leaky_relu: (p) => ({
    value: (a) => (a > 0 ? a : p.negativeSlope * a),
    derivative: (a) => (a > 0 ? 1 : p.negativeSlope),
  }),
  elu: (p) => ({
    value: (a) => (a > 0 ? a : p.alpha * Math.expm1(a)),
    derivative: (a) => (a > 0 ? 1 : p.alpha * Math.exp(a)),
  }),
  selu: () => ({
    value: (a) => SELU_SCALE * (a > 0 ? a : SELU_ALPHA * Math.expm1(a)),
    derivative: (a) => (a >= 0 ? SELU_SCALE : SELU_SCALE * SELU_ALPHA * Math.exp(a)),
  }),
  celu: (p) => ({
    value: (a) => (a > 0 ? a : p.alpha * Math.expm1(a / p.alpha)),
    derivative: (a) => (a > 0 ? 1 : Math.exp(a / p.alpha)),
  }),
  gelu: () => ({
    value: (a) => a * normalDistribution(a),
    derivative: (a) => normalDistribution(a) + a * normalDensity(a),
  }),
  gelu_tanh: () => ({
    value: (a) => a * sigmoid(2 * geluInner(a)),
    derivative: (a) => {
      const slope = Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * a * a);
      return sigmoid(2 * geluInner(a)) + 0.5 * a * tanhDerivative(geluInner(a)) * slope;
    },
  }),
  exponential: () => ({ value: Math.exp, derivative: Math.exp }),
  softplus: () => ({ value: softplus, derivative: sigmoid }),
  softsign: () => ({
    value: (a) => a / (1 + Math.abs(a)),
    derivative: (a) => 1 / ((1 + Math.abs(a)) * (1 + Math.abs(a))),
  }),
  silu: () => ({
    value: (a) => a * sigmoid(a),
    derivative: (a) => sigmoid(a) + a * sigmoidDerivative(a),
  }),
  hard_silu: () => ({
    value: (a) => a * hardSigmoid(1 / 6, 0.5).value(a),
    derivative: (a) => (a >= 3 ? 1 : a <= -3 ? 0 : a / 3 + 0.5),
  }),
  mish: () => ({
    value: (a) => a * tanhSoftplus(a),
    derivative: (a) => {
      const s = sigmoid(-a);
      const sechSquared = (4 * s * s) / ((1 + s * s) * (1 + s * s));
      return tanhSoftplus(a) + a * sechSquared * sigmoid(a);
    },
  }),
  log_sigmoid: () => ({ value: (a) => -softplus(-a), derivative: (a) => sigmoid(-a) }),
  hard_tanh: () => ({ value: (a) => Math.min(Math.max(a, -1), 1), derivative: (a) => step(a >= -1 && a <= 1) }),
  tanh_shrink: () => ({ value: (a) => a - tanh(a), derivative: (a) => tanh(a) ** 2 }),
  soft_shrink: ({ threshold }) => ({
    value: (a) => (a > threshold ? a - threshold : a < -threshold ? a + threshold : Number.isNaN(a) ? NaN : 0),
    derivative: (a) => step(a > threshold || a < -threshold),
  }),
  hard_shrink: ({ threshold }) => ({
    value: (a) => (Math.abs(a) > threshold || Number.isNaN(a) ? a : 0),
    derivative: (a) => step(Math.abs(a) > threshold),
  }),
  threshold: ({ threshold, alpha }) => ({
    value: (a) => (a > threshold ? a : alpha),
    derivative: (a) => step(a > threshold),
  }),
  squareplus: ({ alpha }) => ({
    value: (a) => squareplus(a, alpha),
    derivative: (a) => squareplus(a, alpha) / Math.sqrt(a * a + alpha),
  }),
  sparse_plus: () => ({
    value: (a) => (a <= -1 ? 0 : a < 1 ? 0.25 * (a + 1) * (a + 1) : a),
    derivative: (a) => (a <= -1 ? 0 : a < 1 ? 0.5 * (a + 1) : 1),
  }),
  sparse_sigmoid: () => ({
    value: (a) => Math.min(Math.max(0.5 * (a + 1), 0), 1),
    derivative: (a) => (a > -1 && a < 1 ? 0.5 : 0),
  }),
};

/** (a + sqrt(a^2 + b))/2, for a < 0 as (b/2)/(sqrt(a^2 + b) - a), where nothing cancels. */
function squareplus(a: number, b: number): number {
  const root = Math.sqrt(a * a + b);
  return a >= 0 ? 0.5 * (a + root) : (0.5 * b) / (root - a);
}

const NO_PARAMETERS = { slope: 0, offset: 0, alpha: 0, maxValue: Infinity, negativeSlope: 0, threshold: 0 };

/**
 * Value and derivative of an elementwise activation with its parameters filled in.
 *
 * Numerics: float64; no NaN for finite a up to |a| = 700 (exponential overflows to Infinity beyond, as it should).
 * Source: `SCALAR_ACTIVATIONS`, one rule a row; saturated derivatives as in method.md 2.1.
 *
 * @param description - Name and parameters.
 * @throws Error for softmax, log_softmax and sparsemax, which are not elementwise: a bug of the caller.
 */
export function scalarActivation(description: ActivationDescription): ScalarActivation {
  const { name, ...given } = description;
  if (!(name in SCALAR_ACTIVATIONS)) throw new Error(`${name} is not elementwise`);
  const factory = SCALAR_ACTIVATIONS[name as ScalarActivationName];
  return factory({ ...NO_PARAMETERS, ...ACTIVATION_DEFAULTS[name], ...given });
}
