/**
 * Each activation with its derivative at the pre-activation, in float64.
 *
 * Derivatives are taken at the pre-activation: 1 - y^2 loses all digits once a tanh is saturated.
 * The rules are in `activations/`; a new activation is one row of `activations/scalar.ts`.
 */
import { isElementwise, type ActivationDescription, type VectorActivationName } from './activations/description';
import { scalarActivation } from './activations/scalar';
import { vectorActivation, vectorActivationJacobian } from './activations/vector';

export {
  ACTIVATION_DEFAULTS,
  ACTIVATION_NAMES,
  isElementwise,
  type ActivationDescription,
  type ActivationName,
  type VectorActivationName,
} from './activations/description';
export { scalarActivation } from './activations/scalar';
export { vectorActivation, vectorActivationJacobian } from './activations/vector';

/**
 * y = phi(a) for one vector of pre-activations.
 *
 * @param description - Name and parameters.
 * @param preActivation - `[n]`; softmax and its kin act over the whole of it.
 * @param out - `[n]`, a new array when left out; not `preActivation` itself.
 * @returns `out`.
 */
export function activate(
  description: ActivationDescription,
  preActivation: Float64Array,
  out: Float64Array = new Float64Array(preActivation.length),
): Float64Array {
  if (!isElementwise(description.name)) {
    vectorActivation(description.name, preActivation, out);
    return out;
  }
  const { value } = scalarActivation(description);
  for (let i = 0; i < out.length; i++) out[i] = value(preActivation[i]);
  return out;
}

/**
 * phi'(a), the derivative of an elementwise activation at each pre-activation.
 *
 * @param description - Name and parameters of an elementwise activation.
 * @param preActivation - `[n]`.
 * @param out - `[n]`, a new array when left out.
 * @returns `out`.
 * @throws Error for softmax, log_softmax and sparsemax: a bug of the caller, see `activationJacobian`.
 */
export function activationDerivative(
  description: ActivationDescription,
  preActivation: Float64Array,
  out: Float64Array = new Float64Array(preActivation.length),
): Float64Array {
  const { derivative } = scalarActivation(description);
  for (let i = 0; i < out.length; i++) out[i] = derivative(preActivation[i]);
  return out;
}

/**
 * dy_i/da_j of any activation for one vector of pre-activations; diagonal for the elementwise ones.
 *
 * @param description - Name and parameters.
 * @param preActivation - `[n]`.
 * @returns `[n, n]`.
 */
export function activationJacobian(description: ActivationDescription, preActivation: Float64Array): Float64Array {
  const n = preActivation.length;
  const jacobian = new Float64Array(n * n);
  if (!isElementwise(description.name)) {
    vectorActivationJacobian(description.name as VectorActivationName, preActivation, jacobian);
    return jacobian;
  }
  const { derivative } = scalarActivation(description);
  for (let i = 0; i < n; i++) jacobian[i * n + i] = derivative(preActivation[i]);
  return jacobian;
}
