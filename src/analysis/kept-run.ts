/**
 * A layer run with its states, kept for questions about single pairs of steps.
 *
 * It owns the run and what is kept beside it: products of segments of steps, by which the block of any pair is near.
 */
import { TempogradError } from '../core/errors';
import type { Direction } from '../core/jacobian';
import type { BlockSource, LayerRun, PairBlock } from '../engine/engine';
import type { BlockPart, StoredBlockData } from '../shared/pair-block';

/** What the products of segments may take, of both directions together. */
const MAX_PRODUCT_BYTES = 256 * 2 ** 20;

/** The share of the memory limit that they may take. */
const MEMORY_SHARE = 0.25;

/** One pair of steps of one sequence. */
export interface PairPlace {
  readonly sequence: number;
  readonly target: number;
  readonly source: number;
}

/** A run that went through. */
export class KeptRun {
  private readonly sources = new Map<Direction, BlockSource>();
  private readonly maxBytes: number;

  /**
   * @param run - The layer run, which is disposed with this.
   * @param maxMemoryBytes - The limit of the run; null = none.
   */
  constructor(
    private readonly run: LayerRun,
    maxMemoryBytes: number | null,
  ) {
    const most = maxMemoryBytes === null ? Infinity : MEMORY_SHARE * maxMemoryBytes;
    this.maxBytes = Math.min(MAX_PRODUCT_BYTES, most) / run.states.length;
  }

  /** Bytes of the products that are kept at the moment. */
  get keptBytes(): number {
    return [...this.sources.values()].reduce((sum, { keptBytes }) => sum + keptBytes, 0);
  }

  /**
   * The Jacobians of one pair of steps of one direction.
   *
   * @param direction - Which recurrence.
   * @param place - Which pair, at the input's own time index.
   * @param hasState - Whether ds_t/ds_s is wanted too.
   * @param signal - Ends it.
   * @throws TempogradError `usage/bad-option` where the run has no such pair.
   */
  async block(direction: Direction, place: PairPlace, hasState: boolean, signal: AbortSignal): Promise<BlockPart> {
    checkPlace(this.run, place);
    return partOf(direction, await this.sourceOf(direction).block({ ...place, hasState }, signal));
  }

  /**
   * Makes the products of all segments.
   *
   * @param signal - Ends it; what was made until then is kept.
   */
  async prepare(signal: AbortSignal): Promise<void> {
    for (const { direction } of this.run.states) await this.sourceOf(direction).prepare(signal);
  }

  /** Frees the run. */
  dispose(): void {
    this.sources.clear();
    this.run.dispose();
  }

  private sourceOf(direction: Direction): BlockSource {
    const source = this.sources.get(direction) ?? this.run.openBlocks(direction, this.maxBytes);
    this.sources.set(direction, source);
    return source;
  }
}

/**
 * The block of one pair of every direction, without keeping anything.
 *
 * @param run - The layer run; not disposed.
 * @param place - Which pair.
 * @param signal - Ends it.
 * @throws TempogradError `usage/bad-option` where the run has no such pair.
 */
export async function blocksOf(run: LayerRun, place: PairPlace, signal: AbortSignal): Promise<readonly BlockPart[]> {
  checkPlace(run, place);
  const parts: BlockPart[] = [];
  for (const { direction } of run.states) {
    const source = run.openBlocks(direction, 0);
    parts.push(partOf(direction, await source.block({ ...place, hasState: false }, signal)));
    source.dispose();
  }
  return parts;
}

function partOf(direction: Direction, { h, c, state }: PairBlock): BlockPart {
  const plain = ({ data, ...rest }: NonNullable<PairBlock['c']>): StoredBlockData => {
    return { ...rest, data: data instanceof Float32Array ? data : Float32Array.from(data) };
  };
  return { direction, h: plain(h), c: c && plain(c), state: state && plain(state) };
}

/** Refuses a pair that the run has not. */
function checkPlace({ batch, steps }: LayerRun, { sequence, target, source }: PairPlace): void {
  if (target < steps && source < steps && sequence < batch) return;
  throw new TempogradError(
    'usage/bad-option',
    `there is no pair of steps ${target}, ${source} of sequence ${sequence}: the run has ${batch} x ${steps} steps`,
    {
      remedy: `Choose steps from 0 to ${steps - 1} and a sequence from 0 to ${batch - 1}.`,
      details: { target, source, sequence, batch, steps },
    },
  );
}
