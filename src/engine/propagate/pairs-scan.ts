/**
 * Norms of all pairs by a scan over segments of steps: a step loop only inside short leaves, above them products.
 *
 * A segment [lo, hi) keeps P_t = ds_t/ds_lo of its targets, V_s = ds_hi/dx_s of its sources and its total ds_hi/ds_lo
 * (lo stands for the state before the first step, hi for that after the last). Two neighbours give the norms of the
 * rectangle between them, ||P_t V_s||, and then merge: P_t <- P_t Total_left, V_s <- Total_right V_s. What a segment
 * will never need again is dropped: targets at the left end, sources at the right.
 * Source: method.md 2.10.
 */
import type { CellRun } from '../cells/run-cell';
import type { ValidSteps } from '../cells/valid-steps';
import type { Ops, Value } from '../ops';
import type { Pace } from '../pace';
import type { Arithmetic } from './arithmetic';
import { NormRows } from './norm-rows';
import type { SequenceBlock } from './pairs-direct';
import type { PairsBlock } from './pairs-times';
import { pushLanes, type LaneStep } from './push-lanes';
import { quadrantNorms } from './quadrant';
import { disposeRows, makeRowBlocks, multiplyRows, type RowBlocks, type ScaledMatrix } from './row-blocks';

/** What a scan is asked for. */
export interface ScanOrder {
  readonly source: 'input' | 'state';
  /** Whether ds_t/ds_0 is wanted too. */
  readonly hasInitial: boolean;
  /** Steps of a leaf. */
  readonly leafSteps: number;
}

/** Targets of one state, h or c. */
interface StateTargets {
  readonly state: 'h' | 'c';
  readonly blocks: RowBlocks;
}

/** A segment of computed steps. */
interface Segment {
  readonly lo: number;
  readonly hi: number;
  readonly targets: readonly StateTargets[];
  /** Transposed: V_s^T. */
  readonly sources: readonly RowBlocks[];
  /** The initial state as a source, in the first segment. */
  readonly initial: RowBlocks | null;
  readonly total: ScaledMatrix | null;
}

/**
 * Blocks of norms of one sequence.
 *
 * @param arithmetic - Operations and cell.
 * @param run - States.
 * @param valid - The computed steps.
 * @param sequence - Which sequence.
 * @param order - What is wanted.
 * @param pace - Lets messages in.
 */
export async function* pairsScan(
  arithmetic: Arithmetic,
  run: CellRun,
  valid: ValidSteps,
  sequence: number,
  order: ScanOrder,
  pace: Pace,
): AsyncGenerator<SequenceBlock, void, void> {
  const steps = valid.of(sequence).length;
  const scan = new Scan(arithmetic, steps, order);
  try {
    for (let lo = 0; lo < steps; lo += order.leafSteps) {
      const hi = Math.min(steps, lo + order.leafSteps);
      for await (const block of scan.addLeaf(run, valid, sequence, lo, hi, pace)) yield { sequence, block };
      for await (const block of scan.merge(hi === steps, pace)) yield { sequence, block };
    }
  } finally {
    scan.dispose();
  }
}

/** The segments so far, from left to right, each at least twice as long as the next. */
class Scan {
  private readonly segments: Segment[] = [];
  private readonly ops: Ops;

  constructor(
    private readonly arithmetic: Arithmetic,
    private readonly steps: number,
    private readonly order: ScanOrder,
  ) {
    this.ops = arithmetic.ops;
  }

  /** A leaf by pushing the identity and everything that its own steps inject. */
  async *addLeaf(
    run: CellRun,
    valid: ValidSteps,
    sequence: number,
    lo: number,
    hi: number,
    pace: Pace,
  ): AsyncGenerator<PairsBlock, void, void> {
    const { arithmetic, order } = this;
    const { source, hasInitial } = order;
    const count = hi - lo;
    const lanes = [{ sequence, first: lo }];
    const leaf = new Leaf(arithmetic, lo, hi, this.steps);
    const rows = new NormRows(count);
    const initialRows = new NormRows(1);
    try {
      const pushed = { lanes, steps: count, source, sources: count, hasInitial: true, keptExponent: 0 } as const;
      for await (const step of pushLanes(arithmetic, run, valid, pushed, pace)) {
        const { h, c } = step.norms;
        rows.add(h, c, 1, step.taken);
        initialRows.add(h, c, 0, 1);
        leaf.add(step, order);
      }
      const place = { firstTarget: lo, targets: count };
      yield { source, ...place, firstSource: lo, sources: count, ...rows.arrays(source, count) };
      if (lo === 0 && hasInitial) {
        yield { source: 'initial', ...place, firstSource: 0, sources: 1, ...initialRows.arrays('initial', 1) };
      }
      this.segments.push(leaf.finish());
    } finally {
      leaf.dispose();
    }
  }

  /** Merges neighbours of one length, or all where no more will come. */
  async *merge(isEnd: boolean, pace: Pace): AsyncGenerator<PairsBlock, void, void> {
    const { segments } = this;
    for (;;) {
      const right = segments.at(-1);
      const left = segments.at(-2);
      if (!left || !right) return;
      if (!isEnd && left.hi - left.lo > right.hi - right.lo) return;
      yield* this.between(left, right, pace);
      segments.splice(-2, 2, await this.joined(left, right, pace));
    }
  }

  dispose(): void {
    for (const segment of this.segments) this.free(segment);
    this.segments.length = 0;
  }

  /** Norms of the right segment's targets by the left one's sources. */
  private async *between(left: Segment, right: Segment, pace: Pace): AsyncGenerator<PairsBlock, void, void> {
    const { source, hasInitial } = this.order;
    const hidden = right.targets.filter(({ state }) => state === 'h');
    const memory = right.targets.filter(({ state }) => state === 'c');
    for (const [at, { blocks: targets }] of hidden.entries()) {
      const place = { firstTarget: targets.first, targets: targets.count };
      for (const sources of left.sources) {
        const h = quadrantNorms(this.arithmetic, targets, sources);
        await pace.breathe();
        const c = memory[at] ? quadrantNorms(this.arithmetic, memory[at].blocks, sources) : null;
        await pace.breathe();
        const norms = new NormRows(sources.count);
        for (let t = 0; t < targets.count; t++) norms.add(h, c, t * sources.count, sources.count);
        const arrays = norms.arrays(source, sources.count);
        yield { source, ...place, firstSource: sources.first, sources: sources.count, ...arrays };
      }
      if (!left.initial || !hasInitial) continue;
      const h = quadrantNorms(this.arithmetic, targets, left.initial);
      const c = memory[at] ? quadrantNorms(this.arithmetic, memory[at].blocks, left.initial) : null;
      const norms = new NormRows(1);
      for (let t = 0; t < targets.count; t++) norms.add(h, c, t, 1);
      yield { source: 'initial', ...place, firstSource: 0, sources: 1, ...norms.arrays('initial', 1) };
      await pace.breathe();
    }
  }

  /** Both as one; what is not needed again is freed. */
  private async joined(left: Segment, right: Segment, pace: Pace): Promise<Segment> {
    const { arithmetic, ops, steps } = this;
    const isFirst = left.lo === 0;
    const isLast = right.hi === steps;
    const targets: StateTargets[] = [...left.targets];
    for (const { state, blocks } of right.targets) {
      if (isFirst) disposeRows(arithmetic, [blocks]);
      else targets.push({ state, blocks: multiplyRows(arithmetic, blocks, left.total!) });
      await pace.breathe();
    }
    const sources: RowBlocks[] = [];
    let initial: RowBlocks | null = null;
    if (isLast) {
      disposeRows(arithmetic, left.sources);
      if (left.initial) disposeRows(arithmetic, [left.initial]);
    } else {
      const turned = ops.keep(ops.transpose(right.total!.value, [1, 0]));
      const factor = { value: turned, exponent: right.total!.exponent };
      for (const blocks of left.sources) {
        sources.push(multiplyRows(arithmetic, blocks, factor));
        await pace.breathe();
      }
      if (left.initial) initial = multiplyRows(arithmetic, left.initial, factor);
      ops.dispose(turned);
      sources.push(...right.sources);
    }
    const total = isFirst || isLast ? null : multiplyTotals(arithmetic, right.total!, left.total!);
    for (const part of [left.total, right.total]) if (part) ops.dispose(part.value);
    return { lo: left.lo, hi: right.hi, targets, sources, initial, total };
  }

  private free({ targets, sources, initial, total }: Segment): void {
    disposeRows(
      this.arithmetic,
      targets.map(({ blocks }) => blocks),
    );
    disposeRows(this.arithmetic, sources);
    if (initial) disposeRows(this.arithmetic, [initial]);
    if (total) this.ops.dispose(total.value);
  }
}

/** What a leaf collects step by step. */
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
  ) {}

  add({ taken, columns }: LaneStep, { source }: ScanOrder): void {
    const { arithmetic, lo, hi, steps } = this;
    const { ops, cell } = arithmetic;
    const count = hi - lo;
    const isFirst = lo === 0;
    if (!isFirst) {
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
    const width = source === 'input' ? cell.inputDim : stateSize;
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

  finish(): Segment {
    const { arithmetic, lo, hi, rows, total, sources } = this;
    const { ops } = arithmetic;
    const targets = rows.map((steps, at): StateTargets => {
      const stacked = ops.keep(ops.concat(steps, 0));
      ops.dispose(...steps);
      const exponents = Int32Array.from(this.exponents);
      const blocks = makeRowBlocks(arithmetic, lo, stacked, null, exponents);
      return { state: at === 0 ? 'h' : 'c', blocks };
    });
    let initial: RowBlocks | null = null;
    let kept = total;
    if (lo === 0 && total) {
      const turned = ops.keep(
        ops.tidy(() => ops.reshape(ops.transpose(total.value, [1, 0]), [1, ...total.value.shape])),
      );
      initial = makeRowBlocks(arithmetic, 0, turned, null, Int32Array.of(total.exponent));
      ops.dispose(total.value);
      kept = null;
    }
    this.rows.length = 0;
    this.total = null;
    this.sources = null;
    return { lo, hi, targets, sources: sources ? [sources] : [], initial, total: kept };
  }

  /** Frees what was not handed over. */
  dispose(): void {
    const { ops } = this.arithmetic;
    for (const steps of this.rows) ops.dispose(...steps);
    if (this.total) ops.dispose(this.total.value);
    if (this.sources) disposeRows(this.arithmetic, [this.sources]);
  }
}

/** later times earlier, brought near 1. */
function multiplyTotals(arithmetic: Arithmetic, later: ScaledMatrix, earlier: ScaledMatrix): ScaledMatrix {
  const { ops } = arithmetic;
  const [size] = later.value.shape;
  const product = ops.keep(ops.tidy(() => ops.reshape(ops.matMul(later.value, earlier.value), [1, size, size])));
  const scaled = makeRowBlocks(arithmetic, 0, product, null, Int32Array.of(later.exponent + earlier.exponent));
  const value = ops.keep(ops.reshape(scaled.values, [size, size]));
  ops.dispose(scaled.values);
  return { value, exponent: scaled.exponents[0] };
}
