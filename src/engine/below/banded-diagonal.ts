/**
 * dh_t/du_t where the windows of the layers below overlap: x_k with k before t depends on u_t too, so the Jacobians at
 * small lags are needed. They are pushed in float64 along the engine's own states, a chunk of timesteps at a time.
 */
import type { DiagonalChunk } from '../../core/jacobian';
import type { CellDescription } from '../../core/model';
import { newStepJacobians, type StepJacobians } from '../../core/reference/cell';
import { makeReferenceCell } from '../../core/reference/reference-cell';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from '../../core/reference/run-cell';
import type { PropagateOptions } from '../engine';
import { Pace } from '../pace';
import { accumulate } from './accumulate';
import type { LocalJacobian } from './local-jacobian';

/**
 * Chunks of dh_t/du_t and dc_t/du_t in the order of computing.
 *
 * @param sequences - The states of each sequence.
 * @param description - The cell.
 * @param local - dx/du; x and u have the same steps.
 * @param options - Signal and size of a chunk.
 *
 * Numerics: float64 throughout.
 */
export async function* bandedDiagonal(
  sequences: readonly Trajectory[],
  description: CellDescription,
  local: LocalJacobian,
  options: PropagateOptions,
): AsyncGenerator<DiagonalChunk, void, void> {
  const pace = new Pace(options.signal);
  const cell = makeReferenceCell(description);
  const { units, hiddenSize, hasCell } = cell;
  const { direction } = sequences[0];
  const [batch, steps, features] = local.sequence.shape;
  const hiddenBlock = hiddenSize * features;
  const cellBlock = units * features;
  const stepBytes = batch * cell.stateSize * features * Float64Array.BYTES_PER_ELEMENT;
  const chunkSteps = Math.min(steps, Math.max(1, Math.floor(options.chunkBytes / stepBytes)));
  const jacobians = newStepJacobians(cell);
  const open = sequences.map((trajectory) => new OpenSums(cell, jacobians, trajectory, local));
  for (let done = 0; done < steps; done += chunkSteps) {
    const count = Math.min(chunkSteps, steps - done);
    const start = direction === 'forward' ? done : steps - done - count;
    const h = new Float64Array(batch * count * hiddenBlock);
    const c = hasCell ? new Float64Array(batch * count * cellBlock) : null;
    for (let b = 0; b < batch; b++) {
      for (let n = done; n < done + count; n++) {
        await pace.breathe();
        const own = open[b].step(b, n);
        const place = b * count + timeIndex(direction, steps, n) - start;
        if (own) h.set(own.subarray(0, hiddenBlock), place * hiddenBlock);
        if (own && c) c.set(own.subarray(hiddenBlock), place * cellBlock);
      }
    }
    yield { mode: 'diagonal', direction, start, count, dhdx: h, dcdx: c };
  }
}

/** The sums ds_n/du_k of one sequence for every k that a step so far has reached and that is not yet behind. */
class OpenSums {
  private readonly sums = new Map<number, Float64Array>();

  constructor(
    private readonly cell: ReturnType<typeof makeReferenceCell>,
    private readonly jacobians: StepJacobians,
    private readonly trajectory: Trajectory,
    private readonly local: LocalJacobian,
  ) {}

  /** ds_t/du_t `[S, D_u]` at the n-th computed step; undefined where no step so far depends on u_t. */
  step(sequence: number, n: number): Float64Array | undefined {
    const { sums, trajectory } = this;
    const { direction, steps } = trajectory;
    const t = timeIndex(direction, steps, n);
    if (isValidStep(trajectory, t)) this.pull(sequence, n, t);
    const own = sums.get(t);
    for (const k of sums.keys()) if (this.isBehind(k, t) || k === t) sums.delete(k);
    return own;
  }

  /** Pushes the open sums through step t and adds what it reads itself. */
  private pull(sequence: number, n: number, t: number): void {
    const { cell, jacobians, trajectory, local, sums } = this;
    const { stateSize, inputDim } = cell;
    const features = local.sequence.shape[2];
    const x = trajectory.x.subarray(t * inputDim, (t + 1) * inputDim);
    cell.linearise(x, stateBefore(trajectory, cell, n), jacobians, 'both');
    for (const [k, sum] of sums) {
      const pushed = new Float64Array(sum.length);
      accumulate(pushed, jacobians.stateJacobian, sum, stateSize, stateSize, features);
      sums.set(k, pushed);
    }
    for (let k = local.reach.first[t]; k <= local.reach.last[t]; k++) {
      // Steps that the recurrence has passed are no longer asked for.
      if (this.isBehind(k, t)) continue;
      const sum = sums.get(k) ?? new Float64Array(stateSize * features);
      accumulate(sum, jacobians.inputJacobian, local.block(sequence, t, k)!, stateSize, inputDim, features);
      sums.set(k, sum);
    }
  }

  private isBehind(k: number, t: number): boolean {
    return this.trajectory.direction === 'forward' ? k < t : k > t;
  }
}
