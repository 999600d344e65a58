/**
 * Activations that mix the units of a vector: softmax, log_softmax, sparsemax, with their full Jacobians.
 */
import type { VectorActivationName } from './description';

/** Entries exp(a - max a) and their sum. */
function shiftedExponentials(a: Float64Array, out: Float64Array): number {
  let largest = -Infinity;
  for (const value of a) if (value > largest || Number.isNaN(value)) largest = value;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += out[i] = Math.exp(a[i] - largest);
  return sum;
}

/** softmax(a)_i = exp(a_i) / sum_j exp(a_j). */
function softmax(a: Float64Array, out: Float64Array): void {
  const sum = shiftedExponentials(a, out);
  for (let i = 0; i < a.length; i++) out[i] /= sum;
}

/** log_softmax(a)_i = a_i - ln sum_j exp(a_j). */
function logSoftmax(a: Float64Array, out: Float64Array): void {
  const logSum = Math.log(shiftedExponentials(a, out));
  let largest = -Infinity;
  for (const value of a) if (value > largest) largest = value;
  for (let i = 0; i < a.length; i++) out[i] = a[i] - largest - logSum;
}

/**
 * sparsemax(a)_i = max(a_i - tau, 0) with tau such that the entries sum to 1.
 *
 * Source: Martins and Astudillo 2016 (arXiv 1602.02068), algorithm 1.
 */
function sparsemax(a: Float64Array, out: Float64Array): void {
  const sorted = Float64Array.from(a).sort().reverse();
  let sum = 0;
  let tau = 0;
  for (let k = 0; k < sorted.length; k++) {
    sum += sorted[k];
    if (sorted[k] - (sum - 1) / (k + 1) > 0) tau = (sum - 1) / (k + 1);
  }
  for (let i = 0; i < a.length; i++) out[i] = Number.isNaN(a[i]) ? NaN : Math.max(a[i] - tau, 0);
}

const VALUES: Readonly<Record<VectorActivationName, (a: Float64Array, out: Float64Array) => void>> = {
  softmax,
  log_softmax: logSoftmax,
  sparsemax,
};

/**
 * The value of a vector activation, written to `out`.
 *
 * @param name - Which.
 * @param a - Pre-activations of one vector, `[n]`.
 * @param out - `[n]`, not `a` itself.
 */
export function vectorActivation(name: VectorActivationName, a: Float64Array, out: Float64Array): void {
  VALUES[name](a, out);
}

/**
 * The Jacobian of a vector activation, dy_i/da_j, written to `out`.
 *
 * softmax: y_i (delta_ij - y_j); log_softmax: delta_ij - y_j with y the softmax; sparsemax: delta_ij - 1/|S| on its
 * support S, else 0. Numerics: 1 - y_i is the sum of the other entries, so that a saturated softmax keeps its digits.
 * Source: the quotient rule; Martins and Astudillo 2016 (arXiv 1602.02068), section 2.5.
 *
 * @param name - Which.
 * @param a - Pre-activations of one vector, `[n]`.
 * @param out - `[n, n]`.
 */
export function vectorActivationJacobian(name: VectorActivationName, a: Float64Array, out: Float64Array): void {
  const n = a.length;
  const y = new Float64Array(n);
  if (name === 'sparsemax') {
    sparsemax(a, y);
    const support = y.reduce((count, value) => count + (value > 0 ? 1 : 0), 0);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) out[i * n + j] = y[i] > 0 && y[j] > 0 ? (i === j ? 1 : 0) - 1 / support : 0;
    }
    return;
  }
  softmax(a, y);
  for (let i = 0; i < n; i++) {
    const factor = name === 'softmax' ? y[i] : 1;
    let others = 0;
    for (let j = 0; j < n; j++) {
      if (j === i) continue;
      others += y[j];
      out[i * n + j] = -factor * y[j];
    }
    out[i * n + i] = factor * others;
  }
}
