/** D13: whether a random network of this gain is chaotic, by mean field theory. */
import { scalarActivation, type ActivationDescription } from '../activations';

/** Points of the rule for Gaussian means, over 12 standard deviations on either side. */
const POINTS = 801;
const REACH = 12;
/** Steps of the map of variances, and the change at which it rests; near a gain of 1 it comes to rest slowly. */
const MAX_STEPS = 3000;
const AT_REST = 1e-14;
const NEARLY_AT_REST = 1e-3;

/**
 * lambda_1 = (1/2) ln chi with chi = g^2 E phi'(sqrt(q) z)^2 at the variance q = g^2 E phi(sqrt(q) z)^2, z standard
 * normal: the leading exponent of h = phi(W h), W_ij ~ N(0, g^2/N), for large N.
 *
 * Below a gain of 1 a tanh network is quiet (q = 0, lambda_1 = ln g), above it is chaotic (lambda_1 > 0).
 * Numerics: trapezoidal rule, 1e-10 for smooth activations; q by iteration from 1, to 1e-3 within 1e-3 of a gain of 1. Source: D13 of method.md;
 * Sompolinsky, Crisanti and Sommers 1988, chi as in Chen et al. 1806.05394.
 *
 * @param gain - g
 * @param activation - phi, elementwise.
 * @returns Nats per step; NaN where q does not come to rest (an activation that grows without bound).
 */
export function meanFieldExponent(gain: number, activation: ActivationDescription): number {
  const { value, derivative } = scalarActivation(activation);
  const mean = (of: (a: number) => number, deviation: number): number => {
    let sum = 0;
    let weights = 0;
    for (let k = 0; k < POINTS; k++) {
      const z = REACH * ((2 * k) / (POINTS - 1) - 1);
      const weight = Math.exp((-z * z) / 2);
      sum += weight * of(deviation * z) ** 2;
      weights += weight;
    }
    return sum / weights;
  };
  let q = 1;
  for (let step = 0; step < MAX_STEPS; step++) {
    const next = gain * gain * mean(value, Math.sqrt(q));
    if (!Number.isFinite(next)) return NaN;
    const change = Math.abs(next - q) / (1 + q);
    q = next;
    if (change <= AT_REST || (step === MAX_STEPS - 1 && change <= NEARLY_AT_REST))
      return 0.5 * Math.log(gain * gain * mean(derivative, Math.sqrt(q)));
  }
  return NaN;
}
