/** D18: the range of memory that the forget biases of an LSTM are set for. */
import { activate, type ActivationDescription } from '../activations';

/** What the biases imply. */
export interface ChronoReading {
  /** Smallest and largest 1/(1 - sigma(b_f)), steps; Infinity for a gate that is always 1. */
  readonly range: readonly [number, number];
  /** max |b_i + b_f|: 0 where the input biases mirror the forget biases, as chrono initialisation sets them. */
  readonly mirrorGap: number;
}

/**
 * Smallest and largest 1/(1 - sigma(b_f)), and whether b_i = -b_f: chrono initialisation draws b_f = ln U(1, T_max - 1)
 * and mirrors it.
 *
 * Source: D18 of method.md; Tallec and Ollivier 1804.11188.
 *
 * @param forgetBias - b_f, `[H]`.
 * @param inputBias - b_i, `[H]`.
 * @param recurrentActivation - sigma, elementwise.
 */
export function chronoRange(
  forgetBias: Float64Array,
  inputBias: Float64Array,
  recurrentActivation: ActivationDescription,
): ChronoReading {
  const times = activate(recurrentActivation, forgetBias).map((f) => 1 / (1 - f));
  let mirrorGap = 0;
  for (let u = 0; u < forgetBias.length; u++) mirrorGap = Math.max(mirrorGap, Math.abs(forgetBias[u] + inputBias[u]));
  return { range: [Math.min(...times), Math.max(...times)], mirrorGap };
}
