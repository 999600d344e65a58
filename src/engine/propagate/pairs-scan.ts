/**
 * Norms of all pairs by a scan over segments of steps: a step loop only inside short leaves, above them products.
 *
 * A segment [lo, hi) keeps P_t = ds_t/ds_lo of its targets, V_s = ds_hi/dx_s of its sources and its total ds_hi/ds_lo
 * (lo stands for the state before the first step, hi for that after the last). Two neighbours give the norms of the
 * rectangle between them, ||P_t V_s||, and then merge: P_t <- P_t Total_left, V_s <- Total_right V_s. What a segment
 * will never need again is dropped: targets at the left end, sources at the right.
 * Source: method.md 2.10.
 */
import type { Ops } from '../ops';
import type { Pace } from '../pace';
import type { Arithmetic } from './arithmetic';
import type { SequenceBlock } from './pairs-direct';
import { initialSource, runLeaf, type LeafOrder, type LeafResult, type SequenceTask } from './pairs-leaf';
import type { PairsBlock } from './pairs-times';
import { meetAll, targetsAtOnce, type CarriedSources } from './quadrant';
import {
  disposeRows,
  makeRowBlocks,
  multiplyRows,
  sliceRows,
  transposed,
  type RowBlocks,
  type ScaledMatrix,
} from './row-blocks';

/** A segment of computed steps. */
interface Segment {
  readonly lo: number;
  readonly hi: number;
  /** Runs of targets, each with the rows of h and, where there is a cell state, those of c. */
  readonly targets: readonly (readonly RowBlocks[])[];
  /** Transposed: V_s^T. */
  readonly sources: readonly RowBlocks[];
  /** The initial state as a source, in the first segment where it is wanted. */
  readonly initial: RowBlocks | null;
  readonly total: ScaledMatrix | null;
}

/**
 * Blocks of norms of one sequence.
 *
 * @param task - Operations, states, and what is wanted.
 */
export async function* pairsScan(task: SequenceTask): AsyncGenerator<SequenceBlock, void, void> {
  const { arithmetic, valid, sequence, order, pace } = task;
  const steps = valid.of(sequence).length;
  const scan = new Scan(arithmetic, steps, order);
  try {
    for (let lo = 0; lo < steps; lo += order.leafSteps) {
      const { blocks, result } = await runLeaf(task, lo);
      scan.add(result);
      for (const block of blocks) yield { sequence, block };
      for await (const block of scan.merge(result.hi === steps, pace)) yield { sequence, block };
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
    private readonly order: LeafOrder,
  ) {
    this.ops = arithmetic.ops;
  }

  /** Takes the next leaf. */
  add({ lo, hi, targets, sources, total }: LeafResult): void {
    const { arithmetic, ops } = this;
    const isFirst = lo === 0;
    const initial = isFirst && total && this.order.hasInitial ? initialSource(arithmetic, total) : null;
    if (isFirst && total) ops.dispose(total.value);
    this.segments.push({
      lo,
      hi,
      targets: targets.length > 0 ? [targets] : [],
      sources: sources ? [sources] : [],
      initial,
      total: isFirst ? null : total,
    });
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
    const { arithmetic, order } = this;
    const carried: CarriedSources[] = left.sources.map((blocks) => ({ source: order.source, blocks }));
    if (left.initial) carried.push({ source: 'initial', blocks: left.initial });
    const most = targetsAtOnce(arithmetic.cell.stateSize, arithmetic.cell.stateBlocks);
    for (const states of right.targets) {
      const [{ count: all }] = states as readonly [RowBlocks];
      for (let start = 0; start < all; start += most) {
        const count = Math.min(most, all - start);
        const isWhole = count === all;
        const targets = isWhole ? states : states.map((rows) => sliceRows(arithmetic, rows, start, count));
        try {
          yield* meetAll(arithmetic, targets, carried, pace);
        } finally {
          if (!isWhole) disposeRows(arithmetic, targets);
        }
      }
    }
  }

  /** Both as one; what is not needed again is freed. */
  private async joined(left: Segment, right: Segment, pace: Pace): Promise<Segment> {
    const { arithmetic, ops, steps } = this;
    const isFirst = left.lo === 0;
    const isLast = right.hi === steps;
    const targets = [...left.targets];
    for (const states of right.targets) {
      if (isFirst) disposeRows(arithmetic, states);
      else targets.push(states.map((rows) => multiplyRows(arithmetic, rows, left.total!)));
      await pace.breathe();
    }
    const sources: RowBlocks[] = [];
    let initial: RowBlocks | null = null;
    if (isLast) {
      disposeRows(arithmetic, left.sources);
      if (left.initial) disposeRows(arithmetic, [left.initial]);
    } else {
      const factor = transposed(arithmetic, right.total!);
      for (const blocks of left.sources) {
        sources.push(multiplyRows(arithmetic, blocks, factor));
        await pace.breathe();
      }
      if (left.initial) initial = multiplyRows(arithmetic, left.initial, factor);
      ops.dispose(factor.value);
      sources.push(...right.sources);
    }
    const total = isFirst || isLast ? null : multiplyTotals(arithmetic, right.total!, left.total!);
    for (const part of [left.total, right.total]) if (part) ops.dispose(part.value);
    return { lo: left.lo, hi: right.hi, targets, sources, initial, total };
  }

  private free({ targets, sources, initial, total }: Segment): void {
    for (const states of targets) disposeRows(this.arithmetic, states);
    disposeRows(this.arithmetic, sources);
    if (initial) disposeRows(this.arithmetic, [initial]);
    if (total) this.ops.dispose(total.value);
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
