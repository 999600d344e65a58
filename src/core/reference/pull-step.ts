/**
 * One row pulled back through one step of a cell, as far as its weighted sums and the state before it.
 *
 * What the sums are given is where the parameters act: their gradient is an outer product of it with what each kernel
 * multiplies, so that no step Jacobian is formed and no product of all parameters is kept. Nothing allocates in a step.
 */
import { hiddenSize as hiddenSizeOf, type CellDescription, type GruCell, type LstmCell } from '../model';
import { newCellStep, unitRows, type CellState, type CellStep } from './cell';
import { makeGate, type Gate } from './gate';
import { makeReferenceCell } from './reference-cell';

/** What a row becomes; blocks in the order i f g o, z r n, or h alone. */
export interface PulledStep {
  /** On W x and the bias beside it, `[G*H]`. */
  readonly input: Float64Array;
  /** On U h and, for a GRU with resetAfter, on the bias beside it, `[G*H]`. */
  readonly recurrent: Float64Array;
  /** What the last block of the recurrent kernel multiplies where it is not h_{t-1}: r h_{t-1} of a GRU, `[H]`; else null. */
  readonly resetState: Float64Array | null;
  /** On s_{t-1}, `[S]`. */
  readonly state: Float64Array;
}

/** Pulls rows back through steps of one cell; its result is overwritten by the next call. */
export type PullStep = (x: Float64Array, previous: CellState, row: Float64Array) => PulledStep;

/**
 * The pullback of a step: r^T ds_t/da for its weighted sums a, and r^T ds_t/ds_{t-1}.
 *
 * Numerics: float64. Source: the transposes of method.md 2.2 to 2.4; Werbos 1990 (backpropagation through time).
 *
 * @param description - The cell.
 */
export function makePullStep(description: CellDescription): PullStep {
  switch (description.kind) {
    case 'SimpleRNN':
      return pullSimpleRnn(description);
    case 'LSTM':
      return pullLstm(description);
    case 'GRU':
      return pullGru(description);
  }
}

/** out = Phi'^T (factor cotangent) at `start`; a factor of null is ones. */
function pullGate(
  gate: Gate,
  factor: Float64Array | null,
  cotangent: Float64Array,
  out: Float64Array,
  start: number,
): void {
  const { units, derivative } = gate;
  if (gate.isElementwise) {
    for (let u = 0; u < units; u++) {
      out[start + u] = derivative[u] * (factor === null ? 1 : factor[u]) * cotangent[u];
    }
    return;
  }
  out.fill(0, start, start + units);
  for (let v = 0; v < units; v++) {
    const weight = (factor === null ? 1 : factor[v]) * cotangent[v];
    for (let u = 0; u < units; u++) out[start + u] += weight * derivative[v * units + u];
  }
}

/** out[0 .. columns) += M^T cotangent for rows `first .. first + count` of M. */
function addTransposed(
  out: Float64Array,
  matrix: Float64Array,
  columns: number,
  cotangent: Float64Array,
  first: number,
  count: number,
): void {
  for (let row = first; row < first + count; row++) {
    const weight = cotangent[row];
    if (weight === 0) continue;
    for (let j = 0, at = row * columns; j < columns; j++, at++) out[j] += weight * matrix[at];
  }
}

function pullSimpleRnn(description: Extract<CellDescription, { kind: 'SimpleRNN' }>): PullStep {
  const { units } = description;
  const cell = makeReferenceCell(description);
  const { recurrentKernel } = unitRows(description, 1);
  const gate = makeGate(description.activation, units, description.clip);
  const step = newCellStep(cell);
  const sums = new Float64Array(units);
  const state = new Float64Array(units);
  return (x, previous, row) => {
    cell.step(x, previous, step);
    gate.differentiate(step.preActivations, 0);
    pullGate(gate, null, row, sums, 0);
    state.fill(0);
    addTransposed(state, recurrentKernel, units, sums, 0, units);
    return { input: sums, recurrent: sums, resetState: null, state };
  };
}

function pullLstm(description: LstmCell): PullStep {
  const { units, clip, peepholes, projection, inputForget, recurrentActivation } = description;
  const hiddenSize = hiddenSizeOf(description);
  const cell = makeReferenceCell(description);
  const { recurrentKernel } = unitRows(description, 4);
  const gates = ['i', 'f', 'g', 'o'].map((name) =>
    makeGate(name === 'g' ? description.activation : recurrentActivation, units, clip),
  );
  const psi = makeGate(description.outputActivation, units, null);
  const step = newCellStep(cell);
  const squashed = new Float64Array(units);
  const memory = new Float64Array(units);
  const cellRow = new Float64Array(units);
  const throughPsi = new Float64Array(units);
  const factor = new Float64Array(units);
  const sums = new Float64Array(4 * units);
  const state = new Float64Array(hiddenSize + units);
  const peephole = (block: number, u: number): number => (peepholes === null ? 0 : peepholes.data[block * units + u]);

  /** On m = o psi(c): the row of h, through the projection where there is one. */
  const pullProjection = (row: Float64Array): void => {
    for (let u = 0; u < units; u++) {
      if (projection === null) memory[u] = row[u];
      else {
        let sum = 0;
        for (let p = 0; p < hiddenSize; p++) sum += projection.data[u * hiddenSize + p] * row[p];
        memory[u] = sum;
      }
    }
  };

  return (x, previous, row) => {
    cell.step(x, previous, step);
    const { gates: values, preActivations, c } = step;
    const { c: cBefore } = previous;
    if (c === null || cBefore === null) throw new Error('an LSTM has a cell state');
    gates.forEach((gate, block) => gate.differentiate(preActivations, block * units));
    psi.evaluate(c, 0, squashed);
    psi.differentiate(c, 0);
    pullProjection(row);
    pullGate(gates[3], squashed, memory, sums, 3 * units);
    pullGate(psi, values.subarray(3 * units), memory, throughPsi, 0);
    for (let u = 0; u < units; u++) {
      cellRow[u] = row[hiddenSize + u] + throughPsi[u] + peephole(2, u) * sums[3 * units + u];
      factor[u] = values[2 * units + u] - (inputForget ? cBefore[u] : 0);
    }
    pullGate(gates[0], factor, cellRow, sums, 0);
    if (inputForget) sums.fill(0, units, 2 * units);
    else pullGate(gates[1], cBefore, cellRow, sums, units);
    pullGate(gates[2], values, cellRow, sums, 2 * units);
    state.fill(0);
    addTransposed(state, recurrentKernel, hiddenSize, sums, 0, 4 * units);
    for (let u = 0; u < units; u++) {
      state[hiddenSize + u] =
        values[units + u] * cellRow[u] + peephole(0, u) * sums[u] + peephole(1, u) * sums[units + u];
    }
    return { input: sums, recurrent: sums, resetState: null, state };
  };
}

function pullGru(description: GruCell): PullStep {
  const { units, clip, recurrentActivation, resetAfter } = description;
  const cell = makeReferenceCell(description);
  const { recurrentKernel } = unitRows(description, 3);
  const [update, reset] = [0, 1].map(() => makeGate(recurrentActivation, units, clip)) as [Gate, Gate];
  const candidate = makeGate(description.activation, units, clip);
  const step: CellStep = newCellStep(cell);
  const factor = new Float64Array(units);
  const toReset = new Float64Array(units);
  const candidateRow = new Float64Array(units);
  const resetState = new Float64Array(units);
  const input = new Float64Array(3 * units);
  const recurrent = new Float64Array(3 * units);
  const state = new Float64Array(units);
  const candidateKernel = recurrentKernel.subarray(2 * units * units);
  const candidateBias = new Float64Array(units);
  if (resetAfter && description.bias) candidateBias.set(description.bias.data.subarray(5 * units, 6 * units));

  /** q = U_n h + b_rn. */
  const recurrentSum = (h: Float64Array, u: number): number => {
    let sum = candidateBias[u];
    for (let v = 0; v < units; v++) sum += candidateKernel[u * units + v] * h[v];
    return sum;
  };

  return (x, previous, row) => {
    const { h } = previous;
    cell.step(x, previous, step);
    const { gates: values, preActivations } = step;
    update.differentiate(preActivations, 0);
    reset.differentiate(preActivations, units);
    candidate.differentiate(preActivations, 2 * units);
    for (let u = 0; u < units; u++) factor[u] = h[u] - values[2 * units + u];
    pullGate(update, factor, row, input, 0);
    for (let u = 0; u < units; u++) factor[u] = 1 - values[u];
    pullGate(candidate, factor, row, input, 2 * units);
    for (let u = 0; u < units; u++) state[u] = values[u] * row[u];
    if (resetAfter) {
      for (let u = 0; u < units; u++) toReset[u] = recurrentSum(h, u) * input[2 * units + u];
      pullGate(reset, null, toReset, input, units);
      recurrent.set(input);
      for (let u = 0; u < units; u++) recurrent[2 * units + u] *= values[units + u];
      addTransposed(state, recurrentKernel, units, recurrent, 0, 3 * units);
      return { input, recurrent, resetState: null, state };
    }
    candidateRow.fill(0);
    addTransposed(candidateRow, candidateKernel, units, input.subarray(2 * units), 0, units);
    pullGate(reset, h, candidateRow, input, units);
    for (let u = 0; u < units; u++) {
      state[u] += values[units + u] * candidateRow[u];
      resetState[u] = values[units + u] * h[u];
    }
    addTransposed(state, recurrentKernel, units, input, 0, 2 * units);
    return { input, recurrent: input, resetState, state };
  };
}
