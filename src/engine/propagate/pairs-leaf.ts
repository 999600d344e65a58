/**
 * A short stretch of steps pushed from the identity and from everything that its own steps inject.
 *
 * A leaf [lo, hi) gives P_t = ds_t/ds_lo of its targets, V_s = ds_hi/dx_s of its sources and its total ds_hi/ds_lo, where
 * lo stands for the state before the first step and hi for that after the last; and the norms of its own pairs.
 */
import { sourceWidth, type SteppedSource } from '../../core/reference/pairs-source';
import type { CellRun } from '../cells/run-cell';
import type { ValidSteps } from '../cells/valid-steps';
import type { Value } from '../ops';
import type { Pace } from '../pace';
import type { Arithmetic } from './arithmetic';
import { NormRows } from './norm-rows';
import type { PairsBlock } from './pairs-times';
import { pushLanes, type LaneStep } from './push-lanes';
import type { CarriedSources } from './quadrant';
import { disposeRows, makeRowBlocks, type RowBlocks, type ScaledMatrix } from './row-blocks';

/** What a way of computing pairs is asked for. */
export interface LeafOrder {
  readonly source: SteppedSource;
  /** Whether ds_t/ds_0 is wanted too. */
  readonly hasInitial: boolean;
  /** Steps of a leaf, of a segment of leaves, of a segment of those; each a multiple of the one before. */
  readonly segments: readonly number[];
  /** Whether sources that were carried far are kept in a basis of the rank that they have. */
  readonly isAdaptive: boolean;
}

/** What a leaf or a segment leaves behind; the caller's. */
export interface LeafResult {
  readonly lo: number;
  readonly hi: number;
  /** P_t, the rows of h and then, where there is a cell state, those of c; none where lo is 0. */
  readonly targets: readonly RowBlocks[];
  /** V_s^T, and the initial state's where lo is 0 and it is wanted; none where hi is the end. */
  readonly sources: readonly CarriedSources[];
  /** ds_hi/ds_lo; null where hi is the end. */
  readonly total: ScaledMatrix | null;
}

/** One sequence whose pairs are computed leaf by leaf. */
export interface SequenceTask {
  readonly arithmetic: Arithmetic;
  readonly run: CellRun;
  readonly valid: ValidSteps;
  readonly sequence: number;
  readonly order: LeafOrder;
  readonly pace: Pace;
  /** Whether the targets alone are needed: the sources belong to another part of the run. Left out: all is. */
  readonly isTargetsOnly?: boolean;
}

/**
 * The blocks of a leaf's own pairs, and what it leaves behind.
 *
 * @param task - Operations, states, and what is wanted.
 * @param lo - First step.
 */
export async function runLeaf(
  { arithmetic, run, valid, sequence, order, pace }: SequenceTask,
  lo: number,
): Promise<{ readonly blocks: readonly PairsBlock[]; readonly result: LeafResult }> {
  const steps = valid.of(sequence).length;
  const { source, hasInitial } = order;
  const count = Math.min(steps - lo, order.segments[0]);
  const leaf = new Leaf(arithmetic, lo, lo + count, steps, source);
  const rows = new NormRows(count);
  const initialRows = new NormRows(1);
  try {
    const pushed = { lanes: [{ sequence, first: lo }], steps: count, source, sources: count } as const;
    for await (const step of pushLanes(
      arithmetic,
      run,
      valid,
      { ...pushed, hasInitial: true, keptExponent: 0 },
      pace,
    )) {
      const { h, c } = step.norms;
      rows.add(h, c, 1, step.taken);
      initialRows.add(h, c, 0, 1);
      leaf.add(step);
    }
    const place = { firstTarget: lo, targets: count };
    const blocks: PairsBlock[] = [{ source, ...place, firstSource: lo, sources: count, ...rows.arrays(source, count) }];
    if (lo === 0 && hasInitial) {
      blocks.push({ source: 'initial', ...place, firstSource: 0, sources: 1, ...initialRows.arrays('initial', 1) });
    }
    return { blocks, result: leaf.finish(lo === 0 && hasInitial) };
  } finally {
    leaf.dispose();
  }
}

/** The initial state as a source, from the total of the first leaf. */
function initialSource(arithmetic: Arithmetic, total: ScaledMatrix): RowBlocks {
  const { ops } = arithmetic;
  const [size] = total.value.shape;
  const turned = ops.keep(ops.tidy(() => ops.reshape(ops.transpose(total.value, [1, 0]), [1, size, size])));
  return makeRowBlocks(arithmetic, 0, turned, null, Int32Array.of(total.exponent));
}

/** What is collected step by step. */
class Leaf {
  /** Per state, `[1, rows, S]` of each step. */
  private readonly rows: Value[][] = [];
  private readonly exponents: number[] = [];
  private total: ScaledMatrix | null = null;
  private sources: RowBlocks | null = null;

  constructor(
    private readonly arithmetic: Arithmetic,
    private readonly lo: number,
    private readonly hi: number,
    private readonly steps: number,
    private readonly source: SteppedSource,
  ) {}

  add({ taken, columns }: LaneStep): void {
    const { arithmetic, lo, hi, steps, source } = this;
    const { ops, cell } = arithmetic;
    const count = hi - lo;
    if (lo > 0) {
      const { blocks, exponents } = columns.take(0, 1);
      blocks.forEach((block, state) => (this.rows[state] ??= []).push(ops.keep(block)));
      this.exponents.push(exponents[0][0]);
    }
    if (taken < count || hi === steps) return;
    const { stateSize } = cell;
    const whole = columns.take(0, 1);
    const value = ops.keep(ops.tidy(() => ops.reshape(ops.concat(whole.blocks, 1), [stateSize, stateSize])));
    ops.dispose(...whole.blocks);
    this.total = { value, exponent: whole.exponents[0][0] };
    const injected = columns.take(1, count);
    const width = sourceWidth(cell, source);
    const turned = ops.keep(
      ops.tidy(() => {
        const stacked = ops.reshape(ops.concat(injected.blocks, 1), [stateSize, count, width]);
        return ops.transpose(stacked, [1, 2, 0]);
      }),
    );
    ops.dispose(...injected.blocks);
    const exponents = Int32Array.from(injected.exponents, ([exponent]) => exponent);
    this.sources = makeRowBlocks(arithmetic, lo, turned, null, exponents);
  }

  finish(isInitialWanted: boolean): LeafResult {
    const { arithmetic, lo, hi, rows, total, source } = this;
    const { ops } = arithmetic;
    const targets = rows.map((steps) => {
      const stacked = ops.keep(ops.concat(steps, 0));
      ops.dispose(...steps);
      return makeRowBlocks(arithmetic, lo, stacked, null, Int32Array.from(this.exponents));
    });
    const sources: CarriedSources[] = [];
    if (total && isInitialWanted) sources.push({ source: 'initial', blocks: initialSource(arithmetic, total) });
    if (this.sources) sources.push({ source, blocks: this.sources });
    this.rows.length = 0;
    this.total = null;
    this.sources = null;
    return { lo, hi, targets, sources, total };
  }

  /** Frees what was not handed over. */
  dispose(): void {
    const { ops } = this.arithmetic;
    for (const steps of this.rows) ops.dispose(...steps);
    if (this.total) ops.dispose(this.total.value);
    if (this.sources) disposeRows(this.arithmetic, [this.sources]);
  }
}
