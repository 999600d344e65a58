/**
 * Norms of all pairs segment by segment: every source is carried from one segment's end to the next by one product, and
 * meets all targets of a segment in one rectangle.
 *
 * Over a segment of w steps a source costs two products with S columns instead of w pushed steps, and the targets' rows
 * are moved no further than to where their segment begins. Sources that were carried far share a small space and are kept in a basis of it; where their probes
 * say that a basis has lost something, they are computed anew and carried in full from then on.
 */
import type { PairsReport } from '../engine';
import {
  compress,
  Directions,
  disposeProbes,
  isTrusted,
  joinProbes,
  joinRuns,
  makeProbes,
  probeError,
  type Probes,
} from './adaptive-rank';
import type { SequenceBlock } from './pairs-direct';
import type { LeafResult, SequenceTask } from './pairs-leaf';
import type { BlockedTile } from './pairs-tiles';
import { runSegment } from './pairs-segment';
import { meetAll, type CarriedSources } from './quadrant';
import { disposeRows, multiplyRows, transposed, type RowBlocks, type ScaledMatrix } from './row-blocks';

/** Consecutive sources that lie at the state before a segment. */
interface SourceRun extends CarriedSources {
  /** Watch over a basis; null for a run that is carried in full. */
  readonly probes: Probes | null;
  /** Carried in full for good: a basis has failed it, or never pays. */
  readonly isFull: boolean;
}

/**
 * Blocks of norms of one sequence.
 *
 * @param task - Operations, states, and what is wanted.
 * @param tiles - What `blockedTiles` gave, or some of it in its order; no source of another tile is carried.
 * @param report - Filled in as the run goes.
 */
export async function* pairsBlocked(
  task: SequenceTask,
  tiles: readonly BlockedTile[],
  report: PairsReport,
): AsyncGenerator<SequenceBlock, void, void> {
  const { arithmetic, valid, sequence, order, pace } = task;
  const { ops } = arithmetic;
  const steps = valid.of(sequence).length;
  const top = order.segments.length - 1;
  const longest = order.segments[top];
  const carried: CarriedRuns[] = [];
  try {
    for (let lo = tiles[0]?.lo ?? steps; lo < steps; lo += longest) {
      const tile = tiles.find((one) => one.lo <= lo && lo < one.hi);
      const blocks = runSegment(tile ? task : { ...task, isTargetsOnly: true }, lo, top);
      let next = await blocks.next();
      for (; !next.done; next = await blocks.next()) if (tile) yield { sequence, block: next.value };
      const result = next.value;
      try {
        const runs = carried.flatMap((one) => one.runs);
        for await (const block of meetAll(arithmetic, result.targets, runs, pace)) yield { sequence, block };
        for (const one of carried) if (result.total) await one.carry(result.total, result.hi);
        // Runs in a basis are joined within a tile only.
        const isNew = carried.length === 0 || (order.isAdaptive && lo === tile?.lo);
        if (tile && isNew) carried.push(new CarriedRuns(task, report));
        for (const run of result.sources) {
          if (tile) carried[carried.length - 1].add(run);
          else disposeRows(arithmetic, [run.blocks]);
        }
      } finally {
        disposeRows(arithmetic, result.targets);
        if (result.total) ops.dispose(result.total.value);
      }
    }
  } finally {
    for (const one of carried) one.dispose();
  }
}

/** All sources so far, the oldest first. */
class CarriedRuns {
  runs: readonly SourceRun[] = [];
  private readonly directions: Directions;
  /** Rank that the last run had when it was first put into a basis. */
  private firstRank = 0;

  constructor(
    private readonly task: SequenceTask,
    private readonly report: PairsReport,
  ) {
    this.directions = new Directions(task.arithmetic.ops);
  }

  add({ source, blocks }: CarriedSources): void {
    const isFull = !this.task.order.isAdaptive || source === 'initial';
    this.runs = [...this.runs, { source, blocks, probes: null, isFull }];
  }

  /** Carries all sources over a leaf that ends at step `hi`. */
  async carry(total: ScaledMatrix, hi: number): Promise<void> {
    const { arithmetic, pace } = this.task;
    const { ops } = arithmetic;
    const factor = transposed(arithmetic, total);
    try {
      for (let at = 0; at < this.runs.length; at++) {
        const { blocks, probes, ...run } = this.runs[at];
        const moved = {
          ...run,
          blocks: multiplyRows(arithmetic, blocks, factor),
          probes: probes && { weights: probes.weights, rows: multiplyRows(arithmetic, probes.rows, factor) },
        };
        this.put(at, moved);
        await pace.breathe();
      }
    } finally {
      ops.dispose(factor.value);
    }
    for (let at = 0; at < this.runs.length; at++) {
      await this.checkRun(at, hi);
      this.shrink(at);
      await pace.breathe();
    }
    this.join();
  }

  dispose(): void {
    for (const run of this.runs) this.free(run);
    this.runs = [];
  }

  /** Computes a run anew where its probes say so. */
  private async checkRun(at: number, hi: number): Promise<void> {
    const { arithmetic } = this.task;
    const { blocks, probes, source } = this.runs[at];
    if (!probes) return;
    const error = probeError(arithmetic, blocks, probes);
    if (isTrusted(error)) {
      this.report.probeError = Math.max(this.report.probeError ?? 0, error);
      return;
    }
    this.report.redone++;
    const { first, count } = blocks;
    const anew = await carriedInFull(this.task, first, first + count, hi);
    this.free(this.runs[at]);
    const runs = anew.map((full): SourceRun => ({ source, blocks: full, probes: null, isFull: true }));
    this.runs = [...this.runs.slice(0, at), ...runs, ...this.runs.slice(at + 1)];
  }

  /** Puts a run into a basis, or into a smaller one. */
  private shrink(at: number): void {
    const { arithmetic } = this.task;
    const { source, blocks, probes, isFull } = this.runs[at];
    if (isFull) return;
    const guess = blocks.basis ? 0.75 * blocks.basis.shape[0] : this.firstRank;
    const smaller = compress(arithmetic, this.directions, blocks, guess);
    if (!smaller) return;
    if (!blocks.basis) this.firstRank = 0.75 * smaller.basis!.shape[0];
    const watched = probes ?? makeProbes(arithmetic, this.directions, blocks);
    disposeRows(arithmetic, [blocks]);
    this.put(at, { source, blocks: smaller, probes: watched, isFull });
  }

  /** Joins neighbours of one length that have a basis each, so that there are few runs. */
  private join(): void {
    const { arithmetic } = this.task;
    for (let at = this.runs.length - 2; at >= 0; at--) {
      const [earlier, later] = [this.runs[at], this.runs[at + 1]];
      if (!later || !earlier.probes || !later.probes || earlier.blocks.count > later.blocks.count) continue;
      const width = earlier.blocks.basis!.shape[0] + later.blocks.basis!.shape[0];
      if (width > earlier.blocks.basis!.shape[1]) continue;
      const blocks = joinRuns(arithmetic, earlier.blocks, later.blocks);
      disposeRows(arithmetic, [earlier.blocks, later.blocks]);
      const probes = joinProbes(arithmetic, earlier.probes, later.probes);
      const joined: SourceRun = { source: earlier.source, blocks, probes, isFull: false };
      this.runs = [...this.runs.slice(0, at), joined, ...this.runs.slice(at + 2)];
      this.shrink(at);
    }
  }

  private put(at: number, run: SourceRun): void {
    this.runs = this.runs.map((old, index) => (index === at ? run : old));
  }

  private free({ blocks, probes }: SourceRun): void {
    const { arithmetic } = this.task;
    disposeRows(arithmetic, [blocks]);
    if (probes) disposeProbes(arithmetic, probes);
  }
}

/** The sources `first .. end`, carried from their own segments to step `hi` without any basis; one run a segment. */
async function carriedInFull(
  task: SequenceTask,
  first: number,
  end: number,
  hi: number,
): Promise<readonly RowBlocks[]> {
  const { arithmetic, order } = task;
  const { ops } = arithmetic;
  const top = order.segments.length - 1;
  const found: RowBlocks[] = [];
  for (let lo = first; lo < hi; lo += order.segments[top]) {
    const { targets, sources, total } = await resultOf(runSegment(task, lo, top));
    disposeRows(arithmetic, targets);
    if (!total) throw new Error('a segment inside the sequence has a total');
    const factor = transposed(arithmetic, total);
    found.forEach((blocks, at) => {
      found[at] = multiplyRows(arithmetic, blocks, factor);
    });
    ops.dispose(factor.value, total.value);
    for (const { source, blocks } of sources) {
      if (source === order.source && lo < end) found.push(blocks);
      else disposeRows(arithmetic, [blocks]);
    }
  }
  return found;
}

/** What a segment leaves behind; its blocks are known already. */
async function resultOf(segment: ReturnType<typeof runSegment>): Promise<LeafResult> {
  for (;;) {
    const next = await segment.next();
    if (next.done) return next.value;
  }
}
