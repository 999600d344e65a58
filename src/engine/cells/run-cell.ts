/**
 * The states of one recurrence over a whole batch, as host arrays at the input's own time index.
 *
 * Only host arrays outlive this: the propagation uploads what it needs again, piece by piece, so that memory is bound
 * by the pieces. Sequences are computed with their masked steps left out and laid back afterwards.
 */
import { TempogradError } from '../../core/errors';
import type { Direction } from '../../core/jacobian';
import { gateNames } from '../../core/model';
import { timeIndex } from '../../core/reference/run-cell';
import type { RealTensor } from '../../core/tensor';
import type { InitialState, RealArray } from '../engine';
import type { Ops, Value } from '../ops';
import { Pace } from '../pace';
import { forwardSpan } from './forward-span';
import type { ForwardSteps, TensorCell } from './tensor-cell';
import { validSteps, type ValidSteps } from './valid-steps';

/** A piece of the forward pass keeps this many bytes of states and gates in engine memory. */
const FORWARD_TILE_BYTES = 8 * 2 ** 20;

/** Input and states of one direction; arrays `[B, T, H]` (h: P units) at the input's own time index. */
export interface CellRun {
  readonly direction: Direction;
  readonly batch: number;
  readonly steps: number;
  readonly units: number;
  /** P */
  readonly hiddenSize: number;
  readonly inputDim: number;
  /** `[B, T, D]` */
  readonly x: RealArray;
  /** `[B, T]`, 1 = valid; null when all are. */
  readonly mask: Uint8Array | null;
  /** The state before the first computed step, `[B, P]` and `[B, H]`. */
  readonly h0: RealArray;
  readonly c0: RealArray | null;
  readonly h: RealArray;
  readonly c: RealArray | null;
  /** Gate name to values after the activation; zero at masked steps. */
  readonly gates: Readonly<Record<string, RealArray>>;
}

/** What `runCell` may be told; zeros and no mask when null. */
export interface RunCellOptions {
  readonly direction: Direction;
  /** `[B, T]` */
  readonly mask: Uint8Array | null;
  readonly initial: InitialState | null;
  readonly signal: AbortSignal;
}

/**
 * Zeros in the precision of an engine.
 *
 * @param ops - Operations.
 * @param length - How many.
 */
export function newReals(ops: Ops, length: number): RealArray {
  return ops.engine === 'reference' ? new Float64Array(length) : new Float32Array(length);
}

/**
 * h, c and gates of a batch.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param x - `[B, T, D]`, at the input's own time index also for a backward recurrence.
 * @param options - Direction, mask, initial state, signal.
 * @throws TempogradError `input/shape-mismatch` when x, the mask or the initial state does not fit.
 */
export async function runCell(ops: Ops, cell: TensorCell, x: RealTensor, options: RunCellOptions): Promise<CellRun> {
  const { direction, mask, signal } = options;
  checkFits(cell, x, options);
  const [batch, steps] = x.shape;
  const { units, hiddenSize, inputDim } = cell;
  const names = gateNames(cell.kind);
  const size = batch * steps * units;
  const hasCell = cell.stateBlocks === 2;
  const initial = initialArrays(ops, cell, batch, options.initial);
  const gates: Record<string, RealArray> = {};
  for (const name of names) gates[name] = newReals(ops, size);
  const run: CellRun = {
    direction,
    batch,
    steps,
    units,
    hiddenSize,
    inputDim,
    x: x.data,
    mask,
    ...initial,
    h: newReals(ops, batch * steps * hiddenSize),
    c: hasCell ? newReals(ops, size) : null,
    gates,
  };
  const valid = validSteps(direction, batch, steps, mask);
  const stepBytes = (names.length + (hasCell ? 3 : 2)) * units * 4;
  const sequences = Math.max(1, Math.min(batch, Math.floor(FORWARD_TILE_BYTES / stepBytes)));
  const pace = new Pace(signal);
  for (let first = 0; first < batch; first += sequences) {
    const count = Math.min(sequences, batch - first);
    const fitting = Math.max(1, Math.floor(FORWARD_TILE_BYTES / (stepBytes * count)));
    const stepsAtOnce = Math.min(fitting, forwardSpan(cell, ops.engine, count));
    await runSequences(ops, cell, run, valid, first, count, stepsAtOnce, pace);
  }
  if (mask !== null) carryMasked(run, mask);
  return run;
}

/** The forward pass of `count` sequences from `first`, `stepsAtOnce` steps at a time. */
async function runSequences(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  valid: ValidSteps,
  first: number,
  count: number,
  stepsAtOnce: number,
  pace: Pace,
): Promise<void> {
  const upload = (array: RealArray, width: number): Value =>
    ops.upload(array.subarray(first * width, (first + count) * width), [count, width]);
  let h = upload(run.h0, cell.hiddenSize);
  let c = run.c0 ? upload(run.c0, cell.units) : null;
  try {
    for (let start = 0; start < valid.longest; start += stepsAtOnce) {
      const steps = Math.min(stepsAtOnce, valid.longest - start);
      const next = ops.tidy(() => {
        const x = ops.upload(gatherInput(run, valid, first, count, start, steps), [steps, count, cell.inputDim]);
        const forward = cell.forward(x, { h, c });
        store(ops, run, valid, first, start, forward);
        return { h: lastOf(ops, forward.h), c: forward.c ? lastOf(ops, forward.c) : null };
      });
      ops.dispose(h);
      if (c) ops.dispose(c);
      ({ h, c } = next);
      await pace.breathe();
    }
  } finally {
    ops.dispose(h);
    if (c) ops.dispose(c);
  }
}

/** `[B, H]`, the last of `[n, B, H]`. */
function lastOf(ops: Ops, states: Value): Value {
  const [steps, batch, units] = states.shape;
  return ops.reshape(ops.slice(states, [steps - 1, 0, 0], [1, batch, units]), [batch, units]);
}

/** x of the computed steps, `[steps, count, D]`; zeros behind the end of a shorter sequence. */
function gatherInput(
  run: CellRun,
  valid: ValidSteps,
  first: number,
  count: number,
  start: number,
  steps: number,
): RealArray {
  const { inputDim, x } = run;
  const size = steps * count * inputDim;
  const gathered = x instanceof Float64Array ? new Float64Array(size) : new Float32Array(size);
  for (let b = 0; b < count; b++) {
    const times = valid.of(first + b);
    const end = Math.min(steps, times.length - start);
    for (let n = 0; n < end; n++) {
      const from = ((first + b) * run.steps + times[start + n]) * inputDim;
      gathered.set(x.subarray(from, from + inputDim), (n * count + b) * inputDim);
    }
  }
  return gathered;
}

/** Lays `[n, count, width]` values back to their time indices. */
function store(ops: Ops, run: CellRun, valid: ValidSteps, first: number, start: number, forward: ForwardSteps): void {
  const lay = (value: Value, target: RealArray): void => {
    const [steps, count, width] = value.shape;
    const data = ops.read(value);
    for (let b = 0; b < count; b++) {
      const times = valid.of(first + b);
      const end = Math.min(steps, times.length - start);
      for (let n = 0; n < end; n++) {
        const from = (n * count + b) * width;
        target.set(data.subarray(from, from + width), ((first + b) * run.steps + times[start + n]) * width);
      }
    }
  };
  lay(forward.h, run.h);
  if (forward.c && run.c) lay(forward.c, run.c);
  for (const [name, value] of Object.entries(forward.gates)) lay(value, run.gates[name]);
}

/** Copies the state before each masked step into it. */
function carryMasked(run: CellRun, mask: Uint8Array): void {
  const { batch, steps, units, hiddenSize, direction } = run;
  const carry = (states: RealArray, initial: RealArray, width: number): void => {
    for (let b = 0; b < batch; b++) {
      let before = initial.subarray(b * width, (b + 1) * width);
      for (let n = 0; n < steps; n++) {
        const at = b * steps + timeIndex(direction, steps, n);
        if (mask[at] === 0) states.set(before, at * width);
        before = states.subarray(at * width, (at + 1) * width);
      }
    }
  };
  carry(run.h, run.h0, hiddenSize);
  if (run.c && run.c0) carry(run.c, run.c0, units);
}

function initialArrays(
  ops: Ops,
  cell: TensorCell,
  batch: number,
  initial: InitialState | null,
): Pick<CellRun, 'h0' | 'c0'> {
  const fill = (given: RealTensor | null | undefined, width: number): RealArray => {
    const array = newReals(ops, batch * width);
    if (given) array.set(given.data);
    return array;
  };
  return {
    h0: fill(initial?.h0, cell.hiddenSize),
    c0: cell.stateBlocks === 2 ? fill(initial?.c0, cell.units) : null,
  };
}

/** Nothing when x, the mask and the initial state have the sizes of the cell. */
function checkFits(cell: TensorCell, x: RealTensor, { mask, initial }: RunCellOptions): void {
  const [batch, steps] = x.shape;
  const mismatch = (what: string, actual: readonly number[], expected: readonly (number | string)[]): never => {
    throw new TempogradError(
      'input/shape-mismatch',
      `${what} has shape [${actual.join(', ')}], expected [${expected.join(', ')}]`,
      { details: { actual: [...actual], expected: [...expected] } },
    );
  };
  if (x.shape.length !== 3 || x.shape[2] !== cell.inputDim || batch < 1 || steps < 1) {
    mismatch('the input of the layer', x.shape, ['B', 'T', cell.inputDim]);
  }
  if (mask !== null && mask.length !== batch * steps) mismatch('the mask', [mask.length], [batch, steps]);
  for (const [name, state, width] of [
    ['h0', initial?.h0, cell.hiddenSize],
    ['c0', initial?.c0, cell.units],
  ] as const) {
    if (!state || (name === 'c0' && cell.stateBlocks === 1)) continue;
    if (state.shape.length !== 2 || state.shape[0] !== batch || state.shape[1] !== width) {
      mismatch(`the initial state ${name}`, state.shape, [batch, width]);
    }
  }
}
