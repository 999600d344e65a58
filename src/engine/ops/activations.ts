/**
 * Every activation and its derivative at the pre-activation, over the engine's operations.
 *
 * The float64 rules of core/activations in a form that float32 can carry: derivatives from the pre-activation, tails
 * without cancellation, the same side as TensorFlow at a kink. Each function gives a new value and frees what it made.
 * Over 300 lines because it is one table of rules.
 */
import { ACTIVATION_DEFAULTS, isElementwise, type ActivationDescription } from '../../core/activations';
import type { Ops, Value } from '../ops';

type Parameters = Required<Omit<ActivationDescription, 'name'>>;

/** Value and derivative as functions of the pre-activation. */
interface Rule {
  value(o: Ops, a: Value, p: Parameters): Value;
  derivative(o: Ops, a: Value, p: Parameters): Value;
}

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;
const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

const scaled = (o: Ops, a: Value, factor: number): Value => o.mul(a, o.constant(factor));
const shifted = (o: Ops, a: Value, amount: number): Value => o.add(a, o.constant(amount));
const clipped = (o: Ops, a: Value, low: number, high: number): Value =>
  o.minimum(o.maximum(a, o.constant(low)), o.constant(high));
const isAbove = (o: Ops, a: Value, limit: number): Value => o.greater(a, o.constant(limit));
const isAtLeast = (o: Ops, a: Value, limit: number): Value => o.greaterEqual(a, o.constant(limit));
const isBelow = (o: Ops, a: Value, limit: number): Value => o.greater(o.constant(limit), a);
const isAtMost = (o: Ops, a: Value, limit: number): Value => o.greaterEqual(o.constant(limit), a);
const indicator = (o: Ops, first: Value, second: Value, factor = 1): Value => {
  const both = o.toReal(o.logicalAnd(first, second));
  return factor === 1 ? both : scaled(o, both, factor);
};
/** min(a, 0), so that an exponential of the branch not taken does not overflow. */
const lower = (o: Ops, a: Value): Value => o.minimum(a, o.constant(0));
/** e/(1+e)^2 with e = exp(-|scale a|): sigmoid'(scale a), a quarter of tanh'(a) for scale 2. */
function bell(o: Ops, a: Value, scale: number): Value {
  const e = o.exp(scaled(o, o.abs(a), -scale));
  return o.div(e, o.square(shifted(o, e, 1)));
}
/** ln(1 + exp(-|a|)). */
const softCorner = (o: Ops, a: Value): Value => o.log1p(o.exp(o.neg(o.abs(a))));
/** Phi(a), the normal distribution function. */
const normal = (o: Ops, a: Value): Value => scaled(o, o.erfc(scaled(o, a, -Math.SQRT1_2)), 0.5);
/** sqrt(2/pi) (a + 0.044715 a^3). */
const geluInner = (o: Ops, a: Value): Value =>
  o.mul(scaled(o, a, SQRT_2_OVER_PI), shifted(o, scaled(o, o.square(a), 0.044715), 1));
/** tanh(softplus(a)) = sigmoid(a) (1 + s)/(1 + s^2), s = sigmoid(-a). */
function tanhSoftplus(o: Ops, a: Value): Value {
  const s = o.sigmoid(o.neg(a));
  return o.div(o.mul(o.sigmoid(a), shifted(o, s, 1)), shifted(o, o.square(s), 1));
}
/** max(a, 0) + (b/2)/(sqrt(a^2 + b) + |a|) = (a + sqrt(a^2 + b))/2. */
function squareplus(o: Ops, a: Value, b: number): Value {
  const root = o.sqrt(shifted(o, o.square(a), b));
  return o.add(o.relu(a), o.div(o.constant(b / 2), o.add(root, o.abs(a))));
}

/** Source: `SCALAR_ACTIVATIONS` of core/activations, row by row. */
const RULES: Readonly<Record<string, Rule>> = {
  linear: {
    value: (o, a) => o.reshape(a, a.shape),
    derivative: (o, a) => o.fill(a.shape, 1),
  },
  affine: {
    value: (o, a, { slope, offset }) => shifted(o, scaled(o, a, slope), offset),
    derivative: (o, a, { slope }) => o.fill(a.shape, slope),
  },
  scaled_tanh: {
    value: (o, a, { alpha, slope }) => scaled(o, o.tanh(scaled(o, a, slope)), alpha),
    derivative: (o, a, { alpha, slope }) => scaled(o, bell(o, a, 2 * Math.abs(slope)), 4 * alpha * slope),
  },
  tanh: {
    value: (o, a) => o.tanh(a),
    derivative: (o, a) => scaled(o, bell(o, a, 2), 4),
  },
  sigmoid: {
    value: (o, a) => o.sigmoid(a),
    derivative: (o, a) => bell(o, a, 1),
  },
  hard_sigmoid: {
    value: (o, a, { slope, offset }) => clipped(o, shifted(o, scaled(o, a, slope), offset), 0, 1),
    derivative: (o, a, { slope, offset }) => {
      const y = shifted(o, scaled(o, a, slope), offset);
      const includesEnds = Math.abs(slope - 1 / 6) > 1e-6;
      if (includesEnds) return indicator(o, isAtLeast(o, y, 0), isAtMost(o, y, 1), slope);
      return indicator(o, isAbove(o, y, 0), isBelow(o, y, 1), slope);
    },
  },
  relu: {
    value: (o, a, { negativeSlope, threshold, maxValue }) => {
      if (negativeSlope === 0 && threshold === 0) {
        return maxValue === Infinity ? o.relu(a) : o.minimum(o.relu(a), o.constant(maxValue));
      }
      const above = maxValue === Infinity ? a : o.minimum(a, o.constant(maxValue));
      return o.select(isAbove(o, a, threshold), above, scaled(o, shifted(o, a, -threshold), negativeSlope));
    },
    derivative: (o, a, { negativeSlope, threshold, maxValue }) => {
      const limit = maxValue === 6 ? isBelow(o, a, 6) : isAtMost(o, a, maxValue);
      const above = indicator(o, isAbove(o, a, threshold), limit);
      if (negativeSlope === 0) return above;
      const isLeaky = threshold === 0 && maxValue === Infinity;
      const below = isLeaky ? isAtMost(o, a, threshold) : isBelow(o, a, threshold);
      return o.add(above, scaled(o, o.toReal(below), negativeSlope));
    },
  },
  relu6: {
    value: (o, a) => clipped(o, a, 0, 6),
    derivative: (o, a) => indicator(o, isAbove(o, a, 0), isBelow(o, a, 6)),
  },
  leaky_relu: {
    value: (o, a, { negativeSlope }) => o.select(isAbove(o, a, 0), a, scaled(o, a, negativeSlope)),
    derivative: (o, a, { negativeSlope }) => o.select(isAbove(o, a, 0), o.constant(1), o.constant(negativeSlope)),
  },
  elu: {
    value: (o, a, { alpha }) => o.select(isAbove(o, a, 0), a, scaled(o, o.expm1(lower(o, a)), alpha)),
    derivative: (o, a, { alpha }) => o.select(isAbove(o, a, 0), o.constant(1), scaled(o, o.exp(lower(o, a)), alpha)),
  },
  selu: {
    value: (o, a) => scaled(o, o.select(isAbove(o, a, 0), a, scaled(o, o.expm1(lower(o, a)), SELU_ALPHA)), SELU_SCALE),
    derivative: (o, a) =>
      o.select(isAtLeast(o, a, 0), o.constant(SELU_SCALE), scaled(o, o.exp(lower(o, a)), SELU_SCALE * SELU_ALPHA)),
  },
  celu: {
    value: (o, a, { alpha }) =>
      o.select(isAbove(o, a, 0), a, scaled(o, o.expm1(scaled(o, lower(o, a), 1 / alpha)), alpha)),
    derivative: (o, a, { alpha }) =>
      o.select(isAbove(o, a, 0), o.constant(1), o.exp(scaled(o, lower(o, a), 1 / alpha))),
  },
  gelu: {
    value: (o, a) => o.mul(a, normal(o, a)),
    derivative: (o, a) => {
      const density = scaled(o, o.exp(scaled(o, o.square(a), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return o.add(normal(o, a), o.mul(a, density));
    },
  },
  gelu_tanh: {
    value: (o, a) => o.mul(a, o.sigmoid(scaled(o, geluInner(o, a), 2))),
    derivative: (o, a) => {
      const inner = geluInner(o, a);
      const slope = scaled(o, shifted(o, scaled(o, o.square(a), 3 * 0.044715), 1), 2 * SQRT_2_OVER_PI);
      return o.add(o.sigmoid(scaled(o, inner, 2)), o.mul(o.mul(a, bell(o, inner, 2)), slope));
    },
  },
  exponential: {
    value: (o, a) => o.exp(a),
    derivative: (o, a) => o.exp(a),
  },
  softplus: {
    value: (o, a) => o.add(softCorner(o, a), o.relu(a)),
    derivative: (o, a) => o.sigmoid(a),
  },
  softsign: {
    value: (o, a) => o.div(a, shifted(o, o.abs(a), 1)),
    derivative: (o, a) => o.reciprocal(o.square(shifted(o, o.abs(a), 1))),
  },
  silu: {
    value: (o, a) => o.mul(a, o.sigmoid(a)),
    derivative: (o, a) => o.add(o.sigmoid(a), o.mul(a, bell(o, a, 1))),
  },
  hard_silu: {
    value: (o, a) => o.mul(a, clipped(o, shifted(o, scaled(o, a, 1 / 6), 0.5), 0, 1)),
    derivative: (o, a) =>
      o.select(
        isAtLeast(o, a, 3),
        o.constant(1),
        o.select(isAtMost(o, a, -3), o.constant(0), shifted(o, scaled(o, a, 1 / 3), 0.5)),
      ),
  },
  mish: {
    value: (o, a) => o.mul(a, tanhSoftplus(o, a)),
    derivative: (o, a) => {
      const s = o.sigmoid(o.neg(a));
      const squared = o.square(s);
      const sechSquared = o.div(scaled(o, squared, 4), o.square(shifted(o, squared, 1)));
      return o.add(tanhSoftplus(o, a), o.mul(o.mul(a, sechSquared), o.sigmoid(a)));
    },
  },
  log_sigmoid: {
    value: (o, a) => o.neg(o.add(softCorner(o, a), o.relu(o.neg(a)))),
    derivative: (o, a) => o.sigmoid(o.neg(a)),
  },
  hard_tanh: {
    value: (o, a) => clipped(o, a, -1, 1),
    derivative: (o, a) => indicator(o, isAtLeast(o, a, -1), isAtMost(o, a, 1)),
  },
  tanh_shrink: {
    value: (o, a) => o.sub(a, o.tanh(a)),
    derivative: (o, a) => o.square(o.tanh(a)),
  },
  soft_shrink: {
    value: (o, a, { threshold }) => o.sub(o.relu(shifted(o, a, -threshold)), o.relu(shifted(o, o.neg(a), -threshold))),
    derivative: (o, a, { threshold }) => o.toReal(isAbove(o, o.abs(a), threshold)),
  },
  hard_shrink: {
    value: (o, a, { threshold }) => o.select(isAtMost(o, o.abs(a), threshold), o.constant(0), a),
    derivative: (o, a, { threshold }) => o.toReal(isAbove(o, o.abs(a), threshold)),
  },
  threshold: {
    value: (o, a, { threshold, alpha }) => o.select(isAbove(o, a, threshold), a, o.constant(alpha)),
    derivative: (o, a, { threshold }) => o.toReal(isAbove(o, a, threshold)),
  },
  squareplus: {
    value: (o, a, { alpha }) => squareplus(o, a, alpha),
    derivative: (o, a, { alpha }) => o.div(squareplus(o, a, alpha), o.sqrt(shifted(o, o.square(a), alpha))),
  },
  sparse_plus: {
    value: (o, a) => o.select(isAtLeast(o, a, 1), a, scaled(o, o.square(o.relu(shifted(o, a, 1))), 0.25)),
    derivative: (o, a) => clipped(o, scaled(o, shifted(o, a, 1), 0.5), 0, 1),
  },
  sparse_sigmoid: {
    value: (o, a) => clipped(o, scaled(o, shifted(o, a, 1), 0.5), 0, 1),
    derivative: (o, a) => indicator(o, isAbove(o, a, -1), isBelow(o, a, 1), 0.5),
  },
};

const NO_PARAMETERS: Parameters = { slope: 0, offset: 0, alpha: 0, maxValue: Infinity, negativeSlope: 0, threshold: 0 };

function parametersOf({ name, ...given }: ActivationDescription): Parameters {
  return { ...NO_PARAMETERS, ...ACTIVATION_DEFAULTS[name], ...given };
}

/**
 * phi(a); softmax and its kin act along the last axis.
 *
 * @param ops - The operations.
 * @param description - Name and parameters.
 * @param a - Pre-activations, any shape.
 * @returns A new value of the same shape.
 */
export function activate(ops: Ops, description: ActivationDescription, a: Value): Value {
  const { name } = description;
  return ops.tidy(() => {
    if (name === 'softmax') return softmax(ops, a, -1);
    if (name === 'log_softmax') return logSoftmax(ops, a);
    if (name === 'sparsemax') return sparsemax(ops, a);
    return RULES[name].value(ops, a, parametersOf(description));
  });
}

/**
 * phi'(a), entry by entry.
 *
 * Numerics: float32 relative precision also where the activation is saturated. Source: method.md 2.1.
 *
 * @param ops - The operations.
 * @param description - Name and parameters; an elementwise activation.
 * @param a - Pre-activations, any shape.
 * @returns A new value of the same shape.
 * @throws Error for softmax, log_softmax and sparsemax: a bug of the caller, they need `activationJacobian`.
 */
export function activationDerivative(ops: Ops, description: ActivationDescription, a: Value): Value {
  if (!isElementwise(description.name)) throw new Error(`${description.name} is not elementwise`);
  return ops.tidy(() => {
    const made = RULES[description.name].derivative(ops, a, parametersOf(description));
    return made.shape.length === a.shape.length ? made : ops.broadcastTo(made, a.shape);
  });
}

/**
 * dphi_i/da_j along the last axis: the full Jacobian of softmax, log_softmax and sparsemax, a diagonal for others.
 *
 * Numerics: 1 - y_i is the sum of the other entries, so that a saturated softmax keeps its digits.
 * Source: the quotient rule; Martins and Astudillo 2016 (arXiv 1602.02068), section 2.5.
 *
 * @param ops - The operations.
 * @param description - Name and parameters.
 * @param a - Pre-activations, `[.., n]`.
 * @returns A new value, `[.., n, n]`, rows = entries of phi.
 */
export function activationJacobian(ops: Ops, description: ActivationDescription, a: Value): Value {
  const { name } = description;
  const n = a.shape[a.shape.length - 1];
  return ops.tidy(() => {
    const identity = ops.upload(
      Float32Array.from({ length: n * n }, (_, i) => Number(i % (n + 1) === 0)),
      [n, n],
    );
    if (isElementwise(name)) return ops.mul(column(ops, activationDerivative(ops, description, a)), identity);
    if (name === 'sparsemax') {
      const inside = ops.toReal(isAbove(ops, sparsemax(ops, a), 0));
      const share = ops.div(inside, ops.sum(inside, [-1], true));
      return ops.sub(ops.mul(column(ops, inside), identity), ops.mul(column(ops, inside), row(ops, share)));
    }
    const y = softmax(ops, a, -1);
    const others = ops.mul(row(ops, y), ops.sub(ops.constant(1), identity));
    const weighted = name === 'softmax' ? ops.mul(column(ops, y), others) : others;
    return ops.sub(ops.mul(ops.sum(weighted, [-1], true), identity), weighted);
  });
}

/**
 * exp(a)/sum exp(a) along an axis.
 *
 * @param ops - The operations.
 * @param a - Any shape.
 * @param axis - The axis, possibly counted from the last.
 */
export function softmax(ops: Ops, a: Value, axis: number): Value {
  return ops.tidy(() => {
    const e = ops.exp(ops.sub(a, ops.max(a, [axis], true)));
    return ops.div(e, ops.sum(e, [axis], true));
  });
}

function logSoftmax(ops: Ops, a: Value): Value {
  const centred = ops.sub(a, ops.max(a, [-1], true));
  return ops.sub(centred, ops.log(ops.sum(ops.exp(centred), [-1], true)));
}

/** Without sorting: entry i is in the support when 1 + k a_i > the sum of the k entries that are not below a_i. */
function sparsemax(ops: Ops, a: Value): Value {
  const centred = ops.sub(a, ops.max(a, [-1], true));
  const isNotBelow = ops.toReal(ops.greaterEqual(row(ops, centred), column(ops, centred)));
  const count = ops.sum(isNotBelow, [-1]);
  const sum = ops.sum(ops.mul(isNotBelow, row(ops, centred)), [-1]);
  const inside = ops.toReal(ops.greater(shifted(ops, ops.mul(count, centred), 1), sum));
  const total = ops.sum(ops.mul(inside, centred), [-1], true);
  const tau = ops.div(shifted(ops, total, -1), ops.sum(inside, [-1], true));
  return ops.relu(ops.sub(centred, tau));
}

/** `[.., n]` as `[.., n, 1]`. */
const column = (ops: Ops, a: Value): Value => ops.reshape(a, [...a.shape, 1]);

/** `[.., n]` as `[.., 1, n]`. */
const row = (ops: Ops, a: Value): Value => ops.reshape(a, [...a.shape.slice(0, -1), 1, a.shape[a.shape.length - 1]]);
