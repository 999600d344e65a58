/** D7: a condition on the weights of a SimpleRNN under which its gradients must vanish. */
import { isElementwise, scalarActivation, type ActivationDescription } from '../activations';

/** Where a derivative is looked at; activations are straight or flat beyond. */
const RANGE = 40;
const POINTS = 16_001;
/** Narrowings around the best point, each to a tenth. */
const REFINEMENTS = 8;

/**
 * sigma_max(U) gamma with gamma = max |phi'|: below 1 every gradient vanishes; above 1 it may carry or explode.
 *
 * Sufficient, not necessary: a saturated network vanishes at any bound (D9).
 * Source: D7 of method.md; Pascanu et al. 1211.5063.
 *
 * @param spectralNorm - sigma_max(U).
 * @param activation - phi.
 * @returns null for an activation whose derivative has no bound or that mixes units.
 */
export function pascanuBound(spectralNorm: number, activation: ActivationDescription): number | null {
  const slope = steepestSlope(activation);
  return slope === null ? null : spectralNorm * slope;
}

/**
 * gamma = max_a |phi'(a)| of an elementwise activation: 1 for tanh, 1/4 for sigmoid.
 *
 * Numerics: sought on a grid of 0.005 between -40 and 40, then refined to 1e-12.
 *
 * @param activation - phi.
 * @returns null where the derivative has no bound (exponential) or the activation mixes units.
 */
export function steepestSlope(activation: ActivationDescription): number | null {
  if (!isElementwise(activation.name)) return null;
  const { derivative } = scalarActivation(activation);
  const magnitude = (a: number): number => Math.abs(derivative(a));
  let step = (2 * RANGE) / (POINTS - 1);
  let best = 0;
  for (let point = 0; point < POINTS; point++) {
    const a = -RANGE + point * step;
    if (magnitude(a) > magnitude(best)) best = a;
  }
  const end = magnitude(RANGE);
  if (!(magnitude(2 * RANGE) <= (1 + 1e-6) * end)) return null;
  for (let refinement = 0; refinement < REFINEMENTS; refinement++) {
    const middle = best;
    for (let point = -10; point <= 10; point++) {
      const a = middle + (point * step) / 10;
      if (magnitude(a) > magnitude(best)) best = a;
    }
    step /= 10;
  }
  return magnitude(best);
}
