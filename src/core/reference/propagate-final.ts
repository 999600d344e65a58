/**
 * dh_T/dx_s and dc_T/dx_s of one sequence, newest source step first.
 *
 * The rows R = ds_T/ds_s are pulled back by R <- R A_s. The h rows and the c rows carry one integer exponent each, so
 * that no norm underflows or overflows, down to 1e-3000 and beyond (method.md 2.7).
 */
import { addProduct } from '../linalg/products';
import { binaryExponent, largestMagnitude, logNorm, scaleByPower } from '../linalg/scaling';
import { newStepJacobians, type ReferenceCell, type StepJacobians } from './cell';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from './run-cell';

/** Rows are rescaled when the sum of their squares leaves this range. */
const SMALLEST_SQUARE = 2 ** -128;
const LARGEST_SQUARE = 2 ** 128;

/** Blocks whose largest entry has its exponent in this range fit float32 and are stored unscaled. */
const FLOAT32_MIN_EXPONENT = -126;
const FLOAT32_MAX_EXPONENT = 126;

/** A block whose norm is between e^-60 and e^60 has its largest entry well inside that range. */
const SURELY_FLOAT32_NATS = 60;

/** The Jacobian of one final state with respect to one source step; the array is reused for the next one. */
export interface FinalBlock {
  /** `[P, D]` of h, `[H, D]` of c; the true block is this times 2^scale. */
  readonly jacobian: Float64Array;
  /** 0 unless float32 could not hold the block. */
  readonly scale: number;
  /** Natural log of the Frobenius norm of the true block; -Infinity only for an exact zero. */
  readonly logNorm: number;
}

/** One source step. */
export interface FinalStep {
  /** Time index s. */
  readonly step: number;
  /** dh_T/dx_s. */
  readonly h: FinalBlock;
  /** dc_T/dx_s, null for SimpleRNN and GRU. */
  readonly c: FinalBlock | null;
}

/** The rows of h_T or c_T in ds_T/ds_s with their exponent: the true rows are `rows` times 2^exponent. */
interface ScaledRows {
  /** P or H. */
  readonly count: number;
  rows: Float64Array;
  next: Float64Array;
  exponent: number;
  isZero: boolean;
}

/**
 * dh_T/dx_s and dc_T/dx_s at every source step, the last computed step first. Masked steps are exactly zero.
 *
 * Numerics: float64, rescaled by exact powers of two. Source: method.md 2.5 and 2.7, reverse accumulation.
 *
 * @param cell - The cell.
 * @param trajectory - Its states, or those of another engine.
 */
export function* propagateFinal(cell: ReferenceCell, trajectory: Trajectory): Generator<FinalStep, void, void> {
  const { units, hiddenSize, inputDim, hasCell } = cell;
  const { direction, steps, x } = trajectory;
  const jacobians = newStepJacobians(cell);
  const hRows = rowsOfIdentity(cell, 0, hiddenSize);
  const cRows = hasCell ? rowsOfIdentity(cell, hiddenSize, units) : null;
  const hBlock = new Float64Array(hiddenSize * inputDim);
  const cBlock = new Float64Array(units * inputDim);
  for (let n = steps - 1; n >= 0; n--) {
    const s = timeIndex(direction, steps, n);
    if (!isValidStep(trajectory, s)) {
      yield { step: s, h: zeroBlock(hBlock), c: cRows === null ? null : zeroBlock(cBlock) };
      continue;
    }
    cell.linearise(x.subarray(s * inputDim, (s + 1) * inputDim), stateBefore(trajectory, cell, n), jacobians, 'both');
    const h = pullInput(cell, hRows, jacobians, hBlock);
    const c = cRows === null ? null : pullInput(cell, cRows, jacobians, cBlock);
    yield { step: s, h, c };
    pullState(cell, hRows, jacobians);
    if (cRows !== null) pullState(cell, cRows, jacobians);
  }
}

/** The rows `first .. first+count` of the identity `[S, S]`. */
function rowsOfIdentity(cell: ReferenceCell, first: number, count: number): ScaledRows {
  const rows = new Float64Array(count * cell.stateSize);
  for (let u = 0; u < count; u++) rows[u * cell.stateSize + first + u] = 1;
  return { count, rows, next: new Float64Array(rows.length), exponent: 0, isZero: false };
}

function zeroBlock(jacobian: Float64Array): FinalBlock {
  jacobian.fill(0);
  return { jacobian, scale: 0, logNorm: -Infinity };
}

/** R B for one block of rows, unscaled where float32 can hold it. */
function pullInput(cell: ReferenceCell, state: ScaledRows, jacobians: StepJacobians, out: Float64Array): FinalBlock {
  out.fill(0);
  if (state.isZero) return { jacobian: out, scale: 0, logNorm: -Infinity };
  const { stateSize, inputDim } = cell;
  addProduct(out, inputDim, state.rows, stateSize, jacobians.inputJacobian, inputDim, state.count, stateSize, inputDim);
  const blockNorm = logNorm(out);
  // Far from the limits of float32 nothing needs a closer look; this is nearly every block.
  if (state.exponent === 0 && Math.abs(blockNorm) < SURELY_FLOAT32_NATS) {
    return { jacobian: out, scale: 0, logNorm: blockNorm };
  }
  const largest = largestMagnitude(out);
  if (largest === 0) return { jacobian: out, scale: 0, logNorm: -Infinity };
  if (!Number.isFinite(largest)) return { jacobian: out, scale: 0, logNorm: largest };
  const norm = blockNorm + state.exponent * Math.LN2;
  const exponent = binaryExponent(largest) + state.exponent;
  const fits = exponent >= FLOAT32_MIN_EXPONENT && exponent <= FLOAT32_MAX_EXPONENT;
  const scale = fits ? 0 : exponent;
  const shift = state.exponent - scale;
  if (shift !== 0) for (let at = 0; at < out.length; at++) out[at] = scaleByPower(out[at], shift);
  return { jacobian: out, scale, logNorm: norm };
}

/** R <- R A for one block of rows, then rescaled. */
function pullState(cell: ReferenceCell, state: ScaledRows, jacobians: StepJacobians): void {
  if (state.isZero) return;
  const { hiddenSize, stateSize } = cell;
  const { stateJacobian } = jacobians;
  const { count, rows, next } = state;
  next.fill(0);
  if (cell.hasDiagonalCellColumns) {
    addProduct(next, stateSize, rows, stateSize, stateJacobian, stateSize, count, stateSize, hiddenSize);
    pullDiagonalColumns(cell, count, rows, stateJacobian, next);
  } else {
    addProduct(next, stateSize, rows, stateSize, stateJacobian, stateSize, count, stateSize, stateSize);
  }
  state.rows = next;
  state.next = rows;
  let squares = 0;
  for (let at = 0; at < next.length; at++) squares += next[at] * next[at];
  if (squares > SMALLEST_SQUARE && squares < LARGEST_SQUARE) return;
  const largest = largestMagnitude(next);
  state.isZero = largest === 0;
  if (state.isZero || !Number.isFinite(largest)) return;
  const exponent = binaryExponent(largest);
  for (let at = 0; at < next.length; at++) next[at] = scaleByPower(next[at], -exponent);
  state.exponent += exponent;
}

/** The c columns of R A where dh_t/dc_{t-1} and dc_t/dc_{t-1} are diagonal: two products a unit instead of S. */
function pullDiagonalColumns(
  cell: ReferenceCell,
  count: number,
  rows: Float64Array,
  stateJacobian: Float64Array,
  out: Float64Array,
): void {
  const { units, stateSize } = cell;
  for (let u = 0; u < units; u++) {
    const column = units + u;
    const fromHidden = stateJacobian[u * stateSize + column];
    const fromCell = stateJacobian[column * stateSize + column];
    for (let row = 0; row < count; row++) {
      const start = row * stateSize;
      out[start + column] = rows[start + u] * fromHidden + rows[start + column] * fromCell;
    }
  }
}
