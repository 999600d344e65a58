/**
 * The states of one sequence, and the walk over its steps that every propagation shares.
 *
 * Arrays stand at the input's own time index; a backward recurrence starts at the last step and ends at step 0.
 * A trajectory may also be built from states that another engine computed: the propagations then linearise those
 * (method.md section 4).
 */
import { TempogradError } from '../errors';
import type { Direction } from '../jacobian';
import { gateNames } from '../model';
import { newCellStep, zeroState, type CellState, type ReferenceCell } from './cell';

/** Input and states of one sequence in one direction. */
export interface Trajectory {
  readonly direction: Direction;
  /** T */
  readonly steps: number;
  /** `[T, D]` */
  readonly x: Float64Array;
  /** `[T]`, 1 = valid; null when all are. */
  readonly mask: Uint8Array | null;
  /** The state before the first step in the order of computing. */
  readonly initial: CellState;
  /** `[T, P]`; a masked step repeats the state before it. */
  readonly h: Float64Array;
  /** `[T, H]`, null for SimpleRNN and GRU. */
  readonly c: Float64Array | null;
}

/** A trajectory with its gates: i f g o, z r n, or none; each `[T, H]`, zero at masked steps. */
export interface GatedTrajectory extends Trajectory {
  readonly gates: Readonly<Record<string, Float64Array>>;
}

/** What `runCell` may be told; zeros, no mask and forward when left out. */
export interface RunCellOptions {
  readonly direction?: Direction;
  readonly mask?: Uint8Array | null;
  readonly initial?: CellState;
}

/**
 * The time index of the n-th computed step.
 *
 * @param direction - Direction of the recurrence.
 * @param steps - T.
 * @param n - 0 for the step computed first.
 */
export function timeIndex(direction: Direction, steps: number, n: number): number {
  return direction === 'forward' ? n : steps - 1 - n;
}

/**
 * The state before the n-th computed step, as views into the trajectory.
 *
 * @param trajectory - The trajectory.
 * @param sizes - H, and P of h; the cell itself.
 * @param n - 0 for the step computed first, whose state before is the initial one.
 */
export function stateBefore(
  trajectory: Trajectory,
  { units, hiddenSize }: Pick<ReferenceCell, 'units' | 'hiddenSize'>,
  n: number,
): CellState {
  if (n === 0) return trajectory.initial;
  const step = timeIndex(trajectory.direction, trajectory.steps, n - 1);
  return {
    h: trajectory.h.subarray(step * hiddenSize, (step + 1) * hiddenSize),
    c: trajectory.c?.subarray(step * units, (step + 1) * units) ?? null,
  };
}

/**
 * True where the step at time index t is computed, false where the mask copies the state.
 *
 * @param trajectory - The trajectory.
 * @param t - Time index.
 */
export function isValidStep(trajectory: Pick<Trajectory, 'mask'>, t: number): boolean {
  return trajectory.mask === null || trajectory.mask[t] !== 0;
}

/**
 * h_t, c_t and gates of one sequence, at the input's own time index.
 *
 * Numerics: float64. Source: method.md 2.2 to 2.4; a masked step copies the state (Keras masking).
 *
 * @param cell - The cell.
 * @param x - `[T, D]`.
 * @param options - Direction, mask, initial state.
 * @throws TempogradError `input/shape-mismatch` when x, mask or initial state do not fit the cell.
 */
export function runCell(cell: ReferenceCell, x: Float64Array, options: RunCellOptions = {}): GatedTrajectory {
  const run = cellSteps(cell, x, options);
  for (;;) {
    const { done, value } = run.next();
    if (done) return value;
  }
}

/**
 * The same trajectory step by step, for callers that must not block for the length of a whole sequence.
 *
 * @param cell - The cell.
 * @param x - `[T, D]`.
 * @param options - Direction, mask, initial state.
 * @returns A generator that stops after each computed step and ends with the trajectory.
 * @throws TempogradError `input/shape-mismatch` as `runCell` does.
 */
export function* cellSteps(
  cell: ReferenceCell,
  x: Float64Array,
  options: RunCellOptions = {},
): Generator<undefined, GatedTrajectory, void> {
  const { direction = 'forward', mask = null, initial = zeroState(cell) } = options;
  const { units, hiddenSize, inputDim } = cell;
  const steps = x.length / inputDim;
  checkFits(cell, steps, mask, initial);
  const names = gateNames(cell.kind);
  const gates: Record<string, Float64Array> = {};
  for (const name of names) gates[name] = new Float64Array(steps * units);
  const trajectory: GatedTrajectory = {
    direction,
    steps,
    x,
    mask,
    initial,
    h: new Float64Array(steps * hiddenSize),
    c: cell.hasCell ? new Float64Array(steps * units) : null,
    gates,
  };
  const out = newCellStep(cell);
  for (let n = 0; n < steps; n++) {
    const t = timeIndex(direction, steps, n);
    const previous = stateBefore(trajectory, cell, n);
    if (!isValidStep(trajectory, t)) {
      trajectory.h.set(previous.h, t * hiddenSize);
      if (trajectory.c !== null && previous.c !== null) trajectory.c.set(previous.c, t * units);
      continue;
    }
    cell.step(x.subarray(t * inputDim, (t + 1) * inputDim), previous, out);
    trajectory.h.set(out.h, t * hiddenSize);
    if (trajectory.c !== null && out.c !== null) trajectory.c.set(out.c, t * units);
    names.forEach((name, k) => {
      gates[name].set(out.gates.subarray(k * units, (k + 1) * units), t * units);
    });
    yield;
  }
  return trajectory;
}

/** Nothing when T is whole and mask and initial state have the sizes of the cell. */
function checkFits(cell: ReferenceCell, steps: number, mask: Uint8Array | null, initial: CellState): void {
  const { units, hiddenSize, inputDim } = cell;
  if (!Number.isInteger(steps)) {
    throw new TempogradError('input/shape-mismatch', `input length is not a multiple of inputDim ${inputDim}`);
  }
  if (mask !== null && mask.length !== steps) {
    throw new TempogradError('input/shape-mismatch', `mask has ${mask.length} steps, the input ${steps}`);
  }
  const hasFittingCell = cell.hasCell ? initial.c?.length === units : true;
  if (initial.h.length !== hiddenSize || !hasFittingCell) {
    throw new TempogradError('input/shape-mismatch', `the initial state does not have ${hiddenSize} units`);
  }
}
