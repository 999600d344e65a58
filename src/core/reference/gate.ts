/**
 * One gate's activation in a step: its value, and its derivative as a diagonal or, for softmax and its kin, a matrix.
 *
 * Cells are written once over `scaledProduct`, which multiplies either form with a kernel.
 */
import {
  isElementwise,
  scalarActivation,
  vectorActivation,
  vectorActivationJacobian,
  type ActivationDescription,
} from '../activations';

/** A gate's activation with its latest derivative. */
export interface Gate {
  /** H */
  readonly units: number;
  readonly isElementwise: boolean;
  /** `[H]` diagonal, or `[H, H]`. */
  readonly derivative: Float64Array;
  /** Writes the value at `preActivation[start .. start+H)` to the same place of `out`. */
  evaluate(preActivation: Float64Array, start: number, out: Float64Array): void;
  /** Sets `derivative` at `preActivation[start .. start+H)`. */
  differentiate(preActivation: Float64Array, start: number): void;
}

/**
 * A gate for H units.
 *
 * With a clip y = phi(min(max(a, -clip), clip)), whose derivative is 0 where |a| >= clip. Source: ONNX operators RNN,
 * GRU, LSTM, attribute `clip`; method.md 2.3.
 *
 * @param description - Its activation.
 * @param units - H.
 * @param clip - Bound of the pre-activations; null for none.
 */
export function makeGate(description: ActivationDescription, units: number, clip: number | null): Gate {
  return clip === null ? makeFreeGate(description, units) : makeClippedGate(description, units, clip);
}

function makeClippedGate(description: ActivationDescription, units: number, clip: number): Gate {
  const free = makeFreeGate(description, units);
  const { derivative, isElementwise } = free;
  const bounded = new Float64Array(units);
  const result = new Float64Array(units);
  const bound = (a: Float64Array, start: number): void => {
    for (let u = 0; u < units; u++) bounded[u] = Math.min(Math.max(a[start + u], -clip), clip);
  };
  return {
    ...free,
    evaluate: (a, start, out) => {
      bound(a, start);
      free.evaluate(bounded, 0, result);
      out.set(result, start);
    },
    differentiate: (a, start) => {
      bound(a, start);
      free.differentiate(bounded, 0);
      for (let at = 0; at < derivative.length; at++) {
        const u = isElementwise ? at : at % units;
        if (Math.abs(a[start + u]) >= clip) derivative[at] = 0;
      }
    },
  };
}

function makeFreeGate(description: ActivationDescription, units: number): Gate {
  const { name } = description;
  if (!isElementwise(name)) {
    const derivative = new Float64Array(units * units);
    return {
      units,
      isElementwise: false,
      derivative,
      evaluate: (a, start, out) => {
        vectorActivation(name, a.subarray(start, start + units), out.subarray(start, start + units));
      },
      differentiate: (a, start) => {
        vectorActivationJacobian(name, a.subarray(start, start + units), derivative);
      },
    };
  }
  const activation = scalarActivation(description);
  const derivative = new Float64Array(units);
  return {
    units,
    isElementwise: true,
    derivative,
    evaluate: (a, start, out) => {
      for (let u = start; u < start + units; u++) out[u] = activation.value(a[u]);
    },
    differentiate: (a, start) => {
      for (let u = 0; u < units; u++) derivative[u] = activation.derivative(a[start + u]);
    },
  };
}

/** A matrix inside an array: row u starts at `offset + u * stride`. */
export interface MatrixView {
  readonly data: Float64Array;
  readonly offset: number;
  readonly stride: number;
}

/**
 * Adds diag(factor) Phi' M to `out`, where Phi' is the gate's derivative.
 *
 * @param out - `[H, columns]`.
 * @param factor - `[H]`, null for ones.
 * @param gate - The gate, differentiated.
 * @param matrix - `[H, columns]`.
 * @param columns - Columns of both.
 */
export function addScaledProduct(
  out: MatrixView,
  factor: Float64Array | null,
  gate: Gate,
  matrix: MatrixView,
  columns: number,
): void {
  const { units, derivative } = gate;
  for (let u = 0; u < units; u++) {
    const scale = factor === null ? 1 : factor[u];
    const row = out.offset + u * out.stride;
    if (gate.isElementwise) {
      const weight = scale * derivative[u];
      const from = matrix.offset + u * matrix.stride;
      for (let j = 0; j < columns; j++) out.data[row + j] += weight * matrix.data[from + j];
      continue;
    }
    for (let v = 0; v < units; v++) {
      const weight = scale * derivative[u * units + v];
      addScaledRow(out.data, row, weight, matrix.data, matrix.offset + v * matrix.stride, columns);
    }
  }
}

/**
 * out[start + j] += scale * source[sourceStart + j] for j below `count`.
 *
 * @param out - Changed.
 * @param start - First index in `out`.
 * @param scale - Factor.
 * @param source - Read.
 * @param sourceStart - First index in `source`.
 * @param count - How many.
 */
export function addScaledRow(
  out: Float64Array,
  start: number,
  scale: number,
  source: Float64Array,
  sourceStart: number,
  count: number,
): void {
  for (let j = 0; j < count; j++) out[start + j] += scale * source[sourceStart + j];
}

/**
 * out[r] = bias[r] + row r of `kernel` times x + row r of `recurrentKernel` times h.
 *
 * @param out - `[rows]`.
 * @param bias - `[rows]`, zeros without bias.
 * @param kernel - `[rows, D]`.
 * @param x - `[D]`.
 * @param recurrentKernel - `[rows, P]`, null to leave the recurrent part out.
 * @param h - `[P]`.
 */
export function preActivate(
  out: Float64Array,
  bias: Float64Array,
  kernel: Float64Array,
  x: Float64Array,
  recurrentKernel: Float64Array | null,
  h: Float64Array,
): void {
  const inputDim = x.length;
  const units = h.length;
  for (let row = 0; row < out.length; row++) {
    let sum = bias[row];
    for (let d = 0, at = row * inputDim; d < inputDim; d++, at++) sum += kernel[at] * x[d];
    if (recurrentKernel !== null) {
      for (let v = 0, at = row * units; v < units; v++, at++) sum += recurrentKernel[at] * h[v];
    }
    out[row] = sum;
  }
}
