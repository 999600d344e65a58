/**
 * dh_T/dx_s and dc_T/dx_s of a batch, newest source step first, in chunks.
 *
 * Per chunk and tile of sequences: vectors of all steps at once, operators group by group, rows pulled step by step,
 * what comes out copied to one reused host buffer, and turned into blocks with norms and scales at the end.
 */
import type { FinalChunk } from '../../core/jacobian';
import { timeIndex } from '../../core/reference/run-cell';
import type { CellRun } from '../cells/run-cell';
import { sliceVectors } from '../cells/step-vectors';
import type { StepVectors, TensorCell } from '../cells/tensor-cell';
import type { BasisReport, PropagateOptions } from '../engine';
import type { Ops, Value } from '../ops';
import { Pace } from '../pace';
import { holdsWanted } from '../sequence-range';
import { chooseArithmetic, type Arithmetic } from './arithmetic';
import { FinalBlocks } from './final-blocks';
import { BasisRows } from './basis-rows';
import { FinalRows } from './final-rows';
import { planFinal, type FinalPlan } from './plan';
import { uploadPoints } from './step-points';
import type { PulledRows, PullOperands } from './stretches';

/**
 * Chunks of the Jacobians of the last state. A forward recurrence gives falling `start`, a backward one rising.
 *
 * Numerics: float32 products, each block of rows kept near 1 by exact powers of two; norms in float64; within 1e-4 of
 * the block's largest entry and 1e-3 in the log norm. Source: method.md 2.5, 2.7 and 2.12.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param run - Its states.
 * @param options - Signal and size of a chunk.
 */
export async function* propagateFinal(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  options: PropagateOptions,
): AsyncGenerator<FinalChunk, void, void> {
  const { batch, steps } = run;
  const arithmetic = chooseArithmetic(ops, cell);
  const basis = options.basis && isWorthBasis(ops, arithmetic, steps) ? options.basis : null;
  const { chunkSteps, sequences, groupSteps } = planOf(ops, cell, run, options.chunkBytes, basis !== null);
  const pace = new Pace(options.signal);
  const blocks = new FinalBlocks(ops, arithmetic.readableOps, run, cell.blockSizes, chunkSteps);
  const tiles: Tile[] = [];
  try {
    for (let first = 0; first < batch; first += sequences) {
      const count = Math.min(sequences, batch - first);
      if (!holdsWanted(options.sequences, first, count)) continue;
      tiles.push(new Tile(arithmetic, run, first, count, groupSteps, basis));
    }
    for (let end = steps; end > 0; end -= chunkSteps) {
      const count = Math.min(chunkSteps, end);
      const chunk = blocks.chunk(run.direction === 'forward' ? end - count : steps - end, count);
      for (const tile of tiles) await tile.fill(end, chunk, blocks, pace);
      yield chunk;
      await pace.breathe();
    }
  } finally {
    for (const tile of tiles) tile.dispose();
    blocks.dispose();
  }
}

/** The pieces of a run; a basis is one sequence's own. */
function planOf(ops: Ops, cell: TensorCell, run: CellRun, chunkBytes: number, isOneByOne: boolean): FinalPlan {
  const { batch, steps } = run;
  return planFinal({ ...cell, batch, steps, chunkBytes, hasBatchedProducts: ops.engine !== 'wasm', isOneByOne });
}

/**
 * Sequences that go through the products together.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param run - Its states.
 * @param chunkBytes - Size of a chunk.
 * @param isExact - Whether no basis may be used.
 */
export function finalSequences(ops: Ops, cell: TensorCell, run: CellRun, chunkBytes: number, isExact: boolean): number {
  const hasBasis = !isExact && isWorthBasis(ops, chooseArithmetic(ops, cell), run.steps);
  return planOf(ops, cell, run, chunkBytes, hasBasis).sequences;
}

/** Where rows are pulled in a basis: by the native engine in its own precision, when the state is wide and the run long. */
function isWorthBasis(ops: Ops, arithmetic: Arithmetic, steps: number): boolean {
  return ops.native !== null && arithmetic.ops === ops && arithmetic.cell.stateSize >= 128 && steps >= 128;
}

/** Steps after which a basis is first tried. */
const FIRST_LAG = 32;

/** Steps that are pulled again together. */
const REPLAYED_STEPS = 64;

/** Where blocks go. */
interface Output {
  readonly blocks: FinalBlocks;
  readonly chunk: FinalChunk;
}

/** Sequences that go through the products together. */
class Tile {
  private rows: PulledRows;
  /** Pulled steps that were settled. */
  private done = 0;
  private nextLag = FIRST_LAG;
  /** All rows as they were when the basis was made, to go back to. */
  private checkpoint: { readonly rows: FinalRows; readonly done: number } | null = null;

  constructor(
    private readonly arithmetic: Arithmetic,
    private readonly run: CellRun,
    private readonly first: number,
    private readonly count: number,
    private readonly groupSteps: number,
    /** Null where every row is propagated. */
    private basis: BasisReport | null,
  ) {
    this.rows = new FinalRows(arithmetic, count);
  }

  /** Pulls through the steps of a chunk, the computed steps `end - 1` down to `end - chunk.count`. */
  async fill(end: number, chunk: FinalChunk, blocks: FinalBlocks, pace: Pace): Promise<void> {
    const { first, count } = this;
    if (this.rows.isZero()) {
      blocks.zero(first, count, chunk);
      return;
    }
    const steps = Array.from({ length: chunk.count }, (_, i) => end - 1 - i);
    await this.pullSteps(steps, { blocks, chunk }, pace);
  }

  dispose(): void {
    this.rows.dispose();
    this.checkpoint?.rows.dispose();
  }

  /** Pulls through some steps, stretch by stretch. */
  private async pullSteps(steps: readonly number[], output: Output | null, pace: Pace): Promise<void> {
    const { arithmetic, run, first, count } = this;
    const selection = { firstSequence: first, sequences: count, steps, slowest: 'step' } as const;
    const vectors = arithmetic.ops.tidy(() => {
      const made = arithmetic.vectors((ops) => uploadPoints(ops, run, selection));
      return arithmetic.cell.operatorVectors(made);
    });
    try {
      for (let from = 0, to = 0; from < steps.length; from = to) {
        to = Math.min(steps.length, from + this.rows.stretch(this.groupSteps));
        await this.pullStretch(steps, from, to, vectors, output, pace);
        this.findBasis();
      }
    } finally {
      arithmetic.ops.dispose(...Object.values(vectors));
    }
  }

  /** Goes over to a basis when it is time to try, and the rank is small enough. */
  private findBasis(): void {
    const { arithmetic, rows, basis, done } = this;
    if (!basis || done < this.nextLag || !(rows instanceof FinalRows)) return;
    this.nextLag = Math.ceil((done * 7) / 6);
    const found = BasisRows.from(arithmetic, rows.values(), rows.exponents, done);
    if (!found) return;
    this.checkpoint = { rows, done };
    this.rows = found;
  }

  /** Goes back to all rows as they were before the basis, and pulls them to where the basis has failed. */
  private async recover(basis: BasisReport, pace: Pace): Promise<void> {
    const { run, done } = this;
    const { rows, done: from } = this.checkpoint!;
    this.rows.dispose();
    this.rows = rows;
    this.done = from;
    this.checkpoint = null;
    this.basis = null;
    basis.redone++;
    for (let k = from; k < done; k += REPLAYED_STEPS) {
      const steps = Array.from({ length: Math.min(REPLAYED_STEPS, done - k) }, (_, i) => run.steps - 1 - k - i);
      await this.pullSteps(steps, null, pace);
    }
  }

  /** Pulls through steps `from .. to`, in halves when the rows went too far for float32. */
  private async pullStretch(
    steps: readonly number[],
    from: number,
    to: number,
    vectors: StepVectors,
    output: Output | null,
    pace: Pace,
  ): Promise<void> {
    for (let start = from; start < to; start += this.groupSteps) {
      this.pullGroup(steps.slice(start, Math.min(to, start + this.groupSteps)), start, vectors, output);
      await pace.breathe();
    }
    const { rows, basis } = this;
    if (rows.settle()) {
      this.done += to - from;
      if (basis && rows instanceof BasisRows) basis.probeError = Math.max(basis.probeError ?? 0, rows.probeError);
      return;
    }
    if (basis && rows instanceof BasisRows && rows.isLost) {
      await this.recover(basis, pace);
      await this.pullStretch(steps, from, to, vectors, output, pace);
      return;
    }
    const middle = from + ((to - from) >> 1);
    await this.pullStretch(steps, from, middle, vectors, output, pace);
    await this.pullStretch(steps, middle, to, vectors, output, pace);
  }

  private pullGroup(group: readonly number[], start: number, vectors: StepVectors, output: Output | null): void {
    const { arithmetic, run, first, count } = this;
    const { ops, readableOps } = arithmetic;
    const steps = group.length;
    ops.tidy(() => {
      const part = sliceVectors(ops, vectors, start * count, steps * count);
      const exponents = this.rows.exponents.slice();
      const inputs = this.rows.pull(this.operandsOf(part, group));
      if (!output) return;
      const isForward = run.direction === 'forward';
      const joined = ops.concat(isForward ? inputs.slice().reverse() : inputs, 0);
      const firstTime = timeIndex(run.direction, run.steps, isForward ? group[steps - 1] : group[0]);
      readableOps.tidy(() => {
        const value = arithmetic.readable(joined);
        const place = { steps, firstTime, firstSequence: first, sequences: count };
        output.blocks.put({ value, ...place, exponents }, output.chunk);
      });
    });
  }

  /** Operators, carries and masks of the steps of a group. */
  private operandsOf(vectors: StepVectors, group: readonly number[]): PullOperands[] {
    const { count } = this;
    const { ops, cell } = this.arithmetic;
    const size = cell.operatorRows;
    const all = cell.operators(vectors);
    const flat = count === 1 ? ops.reshape(all, [group.length * size, cell.operatorColumns]) : all;
    const operators = ops.split(flat, group.length, 0);
    const carry = cell.carry(vectors);
    const carries = carry ? ops.split(ops.reshape(carry, [group.length * count * size]), group.length, 0) : null;
    return group.map((n, at) => ({
      operator: operators[at],
      carry: carries ? carries[at] : null,
      valid: this.validFlags(n),
    }));
  }

  /** Truth values `[b, 1, 1]` (`[1, 1]` for one sequence), null when no sequence is masked at this step. */
  private validFlags(n: number): Value | null {
    const { run, first, count } = this;
    const { ops } = this.arithmetic;
    const { mask } = run;
    if (!mask) return null;
    const t = timeIndex(run.direction, run.steps, n);
    const flags = Float64Array.from({ length: count }, (_, i) => mask[(first + i) * run.steps + t]);
    if (flags.every((flag) => flag !== 0)) return null;
    return ops.greater(ops.upload(flags, count === 1 ? [1, 1] : [count, 1, 1]), ops.constant(0.5));
  }
}
