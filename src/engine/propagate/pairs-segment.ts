/**
 * Segments of steps, each made of shorter ones: a step loop only inside the shortest, above them products.
 *
 * A segment [lo, hi) gives P_t = ds_t/ds_lo of its targets, V_s = ds_hi/dx_s of its sources and its total ds_hi/ds_lo
 * (lo stands for the state before the first step, hi for that after the last). Its parts are taken from left to right:
 * the sources of all earlier parts, carried to where the next one begins, meet the targets of that part, ||P_t V_s||;
 * then the targets are moved back to where the segment begins and the sources on to where the part ends.
 * Source: method.md 2.10, with more than two parts to a segment.
 */
import type { Arithmetic } from './arithmetic';
import { runLeaf, type LeafResult, type SequenceTask } from './pairs-leaf';
import type { PairsBlock } from './pairs-times';
import { meetAll, type CarriedSources } from './quadrant';
import {
  disposeRows,
  joinRows,
  multiplyRows,
  multiplyTotals,
  transposed,
  type RowBlocks,
  type ScaledMatrix,
} from './row-blocks';

/**
 * The blocks of a segment's own pairs; in the end, what the segment leaves behind, the caller's.
 *
 * @param task - Operations, states, and what is wanted.
 * @param lo - First step.
 * @param level - 0 for a leaf, else one more than that of its parts.
 */
export async function* runSegment(
  task: SequenceTask,
  lo: number,
  level: number,
): AsyncGenerator<PairsBlock, LeafResult, void> {
  if (level === 0) {
    const { blocks, result } = await runLeaf(task, lo);
    yield* blocks;
    return result;
  }
  const { arithmetic, valid, sequence, order, pace, isTargetsOnly } = task;
  const hi = Math.min(lo + order.segments[level], valid.of(sequence).length);
  const segment = new Segment(arithmetic, lo);
  try {
    for (let at = lo; at < hi; at += order.segments[level - 1]) {
      const part = yield* runSegment(task, at, level - 1);
      segment.take(part);
      if (!isTargetsOnly) yield* meetAll(arithmetic, part.targets, segment.sources, pace);
      segment.append(part);
      await pace.breathe();
    }
    return segment.finish(hi);
  } finally {
    segment.dispose();
  }
}

/** What the parts so far amount to. */
class Segment {
  /** Sources of the parts so far, at the state before the next part. */
  sources: readonly CarriedSources[] = [];
  /** Per state, the targets of each part. */
  private targets: RowBlocks[][] = [];
  private total: ScaledMatrix | null = null;
  /** Parts that are being met. */
  private open: LeafResult | null = null;

  constructor(
    private readonly arithmetic: Arithmetic,
    private readonly lo: number,
  ) {}

  /** Takes what a part leaves behind. */
  take(part: LeafResult): void {
    this.open = part;
  }

  /** Moves the targets of the part that was taken to the segment's beginning, and all sources to the part's end. */
  append({ targets, sources, total }: LeafResult): void {
    const { arithmetic } = this;
    this.open = null;
    // Nothing lies before the first step that would meet a target.
    if (this.lo === 0) disposeRows(arithmetic, targets);
    else {
      targets.forEach((rows, state) => {
        (this.targets[state] ??= []).push(this.total ? multiplyRows(arithmetic, rows, this.total) : rows);
      });
    }
    if (!total) {
      // At the end of the sequence no source is carried on.
      this.freeSources();
      this.freeTotal();
      return;
    }
    const factor = transposed(arithmetic, total);
    const carried = this.sources.map(({ source, blocks }) => ({
      source,
      blocks: multiplyRows(arithmetic, blocks, factor),
    }));
    arithmetic.ops.dispose(factor.value);
    this.sources = joined(arithmetic, carried, sources);
    this.total = this.total ? multiplyTotals(arithmetic, total, this.total) : total;
  }

  /** Hands over the whole. */
  finish(hi: number): LeafResult {
    const { arithmetic, lo, targets, sources, total } = this;
    const whole = targets.map((parts) => joinRows(arithmetic, parts));
    this.targets = [];
    this.sources = [];
    this.total = null;
    return { lo, hi, targets: whole, sources, total };
  }

  /** Frees what was not handed over. */
  dispose(): void {
    const { arithmetic, open } = this;
    for (const parts of this.targets) disposeRows(arithmetic, parts);
    this.freeSources();
    this.freeTotal();
    if (!open) return;
    disposeRows(arithmetic, [...open.targets, ...open.sources.map(({ blocks }) => blocks)]);
    if (open.total) arithmetic.ops.dispose(open.total.value);
  }

  private freeSources(): void {
    disposeRows(
      this.arithmetic,
      this.sources.map(({ blocks }) => blocks),
    );
    this.sources = [];
  }

  private freeTotal(): void {
    if (this.total) this.arithmetic.ops.dispose(this.total.value);
    this.total = null;
  }
}

/** The runs of each kind of source as one; frees the arguments. */
function joined(
  arithmetic: Arithmetic,
  earlier: readonly CarriedSources[],
  later: readonly CarriedSources[],
): readonly CarriedSources[] {
  if (earlier.length === 0) return later;
  return earlier.map(({ source, blocks }) => {
    const own = later.filter((run) => run.source === source).map((run) => run.blocks);
    return { source, blocks: joinRows(arithmetic, [blocks, ...own]) };
  });
}
