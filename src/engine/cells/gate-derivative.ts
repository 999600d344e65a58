/**
 * The derivative of a gate's activation at N steps: `[N, H, 1]` where it is diagonal, `[N, H, H]` for softmax and its
 * kin. Cells that form full operators are written once over both.
 */
import { isElementwise, type ActivationDescription } from '../../core/activations';
import { activationDerivative, activationJacobian } from '../ops/activations';
import type { Ops, Value } from '../ops';

/**
 * The derivative at the pre-activations.
 *
 * @param ops - Operations.
 * @param description - The activation.
 * @param a - `[N, H]`
 */
export function gateDerivative(ops: Ops, description: ActivationDescription, a: Value): Value {
  if (!isElementwise(description.name)) return activationJacobian(ops, description, a);
  return ops.tidy(() => asColumn(ops, activationDerivative(ops, description, a)));
}

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
