/**
 * A gate's activation and its derivative at N steps, pre-activations bounded where the cell has a clip.
 *
 * Derivatives are `[N, H, 1]` where they are diagonal, `[N, H, H]` for softmax and its kin: cells that form full
 * operators are written once over both.
 */
import { isElementwise, type ActivationDescription } from '../../core/activations';
import { activate, activationDerivative, activationJacobian } from '../ops/activations';
import type { Ops, Value } from '../ops';

/**
 * phi(a), a bounded to [-clip, clip] before.
 *
 * @param ops - Operations.
 * @param description - The activation.
 * @param clip - The bound; null for none.
 * @param a - Any shape.
 */
export function gateValue(ops: Ops, description: ActivationDescription, clip: number | null, a: Value): Value {
  if (clip === null) return activate(ops, description, a);
  return ops.tidy(() => activate(ops, description, bounded(ops, clip, a)));
}

/**
 * The derivative of `gateValue`, entry by entry: exactly 0 where |a| >= clip.
 *
 * @param ops - Operations.
 * @param description - An elementwise activation.
 * @param clip - The bound; null for none.
 * @param a - Any shape.
 */
export function gateSlope(ops: Ops, description: ActivationDescription, clip: number | null, a: Value): Value {
  if (clip === null) return activationDerivative(ops, description, a);
  return ops.tidy(() => ops.mul(activationDerivative(ops, description, bounded(ops, clip, a)), inside(ops, clip, a)));
}

/**
 * The derivative of `gateValue` as a matrix.
 *
 * @param ops - Operations.
 * @param description - The activation.
 * @param clip - The bound; null for none.
 * @param a - `[N, H]`
 */
export function gateDerivative(ops: Ops, description: ActivationDescription, clip: number | null, a: Value): Value {
  if (isElementwise(description.name)) return ops.tidy(() => asColumn(ops, gateSlope(ops, description, clip, a)));
  if (clip === null) return activationJacobian(ops, description, a);
  return ops.tidy(() => {
    const [count, units] = a.shape;
    const columns = ops.reshape(inside(ops, clip, a), [count, 1, units]);
    return ops.mul(activationJacobian(ops, description, bounded(ops, clip, a)), columns);
  });
}

const bounded = (ops: Ops, clip: number, a: Value): Value =>
  ops.minimum(ops.maximum(a, ops.constant(-clip)), ops.constant(clip));

/** 1 where |a| < clip, else 0. */
const inside = (ops: Ops, clip: number, a: Value): Value => ops.toReal(ops.greater(ops.constant(clip), ops.abs(a)));

/**
 * diag(factor) Phi' M, `[N, H, columns]`.
 *
 * @param ops - Operations.
 * @param factor - `[N, H]`
 * @param derivative - Phi', as `gateDerivative` gives it.
 * @param matrix - M, `[H, columns]` or `[N, H, columns]`.
 */
export function scaledProduct(ops: Ops, factor: Value, derivative: Value, matrix: Value): Value {
  return ops.tidy(() => {
    const rows = asColumn(ops, factor);
    if (derivative.shape[2] === 1) return ops.mul(ops.mul(rows, derivative), matrix);
    return ops.mul(rows, ops.matMul(derivative, matrix));
  });
}

/**
 * `[N, H]` as `[N, H, 1]`.
 *
 * @param ops - Operations.
 * @param value - `[N, H]`
 */
export function asColumn(ops: Ops, value: Value): Value {
  return ops.reshape(value, [...value.shape, 1]);
}

/**
 * The identity, `[n, n]`.
 *
 * @param ops - Operations.
 * @param n - Its size.
 */
export function identityMatrix(ops: Ops, n: number): Value {
  return ops.upload(
    Float64Array.from({ length: n * n }, (_, at) => Number(at % (n + 1) === 0)),
    [n, n],
  );
}
