/** D20: how much of an LSTM's cell-to-cell gradient takes the linear path. */
import { binaryExponent, largestMagnitude, logNorm, scaleByPower } from '../linalg/scaling';
import { multiply, identity } from '../linalg/products';
import { newCellStep, newStepJacobians, type ReferenceCell } from '../reference/cell';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from '../reference/run-cell';

/**
 * ||prod_k diag(f_k)||_F / ||cc block of P(T,s)||_F per lag T - s: the linear path against the total, h_s held fixed.
 *
 * 1 where the gradient takes the linear path alone; below or above 1 where the path through h, or through peepholes,
 * adds or cancels.
 * Numerics: float64 with an exponent, cost 16 H^3 a lag. Source: D20 of method.md; Kerg (h-detach) 1810.03023.
 *
 * @param cell - An LSTM.
 * @param trajectory - Its states, or those of another engine.
 * @param lags - Lags in valid steps, ascending; lag k spans the last k steps.
 * @returns One share per lag; NaN where the sequence is shorter or both norms are zero.
 */
export function highwayShare(cell: ReferenceCell, trajectory: Trajectory, lags: readonly number[]): Float64Array {
  const run = highwaySteps(cell, trajectory, lags);
  for (;;) {
    const { done, value } = run.next();
    if (done) return value;
  }
}

/**
 * The same lag by lag, for callers that must not block for the length of a whole sequence.
 *
 * @param cell - An LSTM.
 * @param trajectory - Its states, or those of another engine.
 * @param lags - Lags in valid steps, ascending; lag k spans the last k steps.
 * @returns A generator that stops after each lag and ends with the shares.
 */
export function* highwaySteps(
  cell: ReferenceCell,
  trajectory: Trajectory,
  lags: readonly number[],
): Generator<undefined, Float64Array, void> {
  const { units, hiddenSize, stateSize, inputDim } = cell;
  if (!cell.hasCell) throw new Error('only an LSTM has a cell highway');
  const { direction, steps, x } = trajectory;
  const shares = new Float64Array(lags.length).fill(NaN);
  const jacobians = newStepJacobians(cell);
  const step = newCellStep(cell);
  let rows: Float64Array = identity(stateSize).slice(hiddenSize * stateSize);
  let spare: Float64Array = new Float64Array(rows.length);
  const logGates = new Float64Array(units);
  let exponent = 0;
  let lag = 0;
  for (let n = steps - 1; n >= 0 && lag < (lags.at(-1) ?? 0); n--) {
    const t = timeIndex(direction, steps, n);
    if (!isValidStep(trajectory, t)) continue;
    const input = x.subarray(t * inputDim, (t + 1) * inputDim);
    const previous = stateBefore(trajectory, cell, n);
    cell.step(input, previous, step);
    cell.linearise(input, previous, jacobians, 'state');
    for (let u = 0; u < units; u++) logGates[u] += Math.log(Math.abs(step.gates[units + u]));
    multiply(rows, jacobians.stateJacobian, units, stateSize, stateSize, spare);
    [rows, spare] = [spare, rows];
    const largest = largestMagnitude(rows);
    if (largest > 0 && Number.isFinite(largest)) {
      const shift = binaryExponent(largest);
      for (let at = 0; at < rows.length; at++) rows[at] = scaleByPower(rows[at], -shift);
      exponent += shift;
    }
    lag++;
    yield;
    const place = lags.indexOf(lag);
    if (place < 0) continue;
    shares[place] = Math.exp(logSumOfSquares(logGates) - logCellBlock(rows, units, stateSize) - exponent * Math.LN2);
  }
  return shares;
}

/** 0.5 ln sum exp(2 l_u). */
function logSumOfSquares(logs: Float64Array): number {
  const largest = Math.max(...logs);
  if (largest === -Infinity) return -Infinity;
  let sum = 0;
  for (const log of logs) sum += Math.exp(2 * (log - largest));
  return largest + 0.5 * Math.log(sum);
}

/** ln of the Frobenius norm of the c columns of the c rows. */
function logCellBlock(rows: Float64Array, units: number, stateSize: number): number {
  const block = new Float64Array(units * units);
  for (let row = 0; row < units; row++) {
    block.set(rows.subarray((row + 1) * stateSize - units, (row + 1) * stateSize), row * units);
  }
  return logNorm(block);
}
