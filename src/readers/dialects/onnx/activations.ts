/**
 * The `activations` of a recurrent node with their alpha and beta.
 *
 * Source: ONNX operators RNN, GRU and LSTM, "Equations"; defaults of each function from the operator of the same name.
 */
import type { ActivationDescription } from '../../../core/activations';
import { unsupported } from '../../reading';

interface Function {
  readonly alpha: number | null;
  readonly beta: number | null;
  readonly make: (alpha: number, beta: number) => ActivationDescription;
}

/** Names are compared in lower case: files have them in any. */
const FUNCTIONS: ReadonlyMap<string, Function> = new Map<string, Function>([
  ['tanh', { alpha: null, beta: null, make: () => ({ name: 'tanh' }) }],
  ['sigmoid', { alpha: null, beta: null, make: () => ({ name: 'sigmoid' }) }],
  ['relu', { alpha: null, beta: null, make: () => ({ name: 'relu' }) }],
  ['softsign', { alpha: null, beta: null, make: () => ({ name: 'softsign' }) }],
  ['softplus', { alpha: null, beta: null, make: () => ({ name: 'softplus' }) }],
  ['affine', { alpha: 1, beta: 0, make: (slope, offset) => ({ name: 'affine', slope, offset }) }],
  ['scaledtanh', { alpha: 1, beta: 1, make: (alpha, slope) => ({ name: 'scaled_tanh', alpha, slope }) }],
  ['hardsigmoid', { alpha: 0.2, beta: 0.5, make: (slope, offset) => ({ name: 'hard_sigmoid', slope, offset }) }],
  ['leakyrelu', { alpha: 0.01, beta: null, make: (negativeSlope) => ({ name: 'leaky_relu', negativeSlope }) }],
  ['thresholdedrelu', { alpha: 1, beta: null, make: (threshold) => ({ name: 'threshold', threshold, alpha: 0 }) }],
  ['elu', { alpha: 1, beta: null, make: (alpha) => ({ name: 'elu', alpha }) }],
]);

/**
 * One activation for each name; alphas and betas go in order to the functions that have any.
 *
 * @param names - As the file says them.
 * @param alphas - `activation_alpha`.
 * @param betas - `activation_beta`.
 * @param layer - For messages.
 * @throws TempogradError `cell/unsupported` for a function that ONNX does not name.
 */
export function readActivations(
  names: readonly string[],
  alphas: readonly number[],
  betas: readonly number[],
  layer: string,
): readonly ActivationDescription[] {
  let [alphaIndex, betaIndex] = [0, 0];
  return names.map((name) => {
    const known = FUNCTIONS.get(name.toLowerCase());
    if (!known) throw unsupported(`Layer ${layer}: its activation ${JSON.stringify(name)} is not known`);
    const alpha = known.alpha === null ? 0 : (alphas[alphaIndex++] ?? known.alpha);
    const beta = known.beta === null ? 0 : (betas[betaIndex++] ?? known.beta);
    return known.make(alpha, beta);
  });
}
