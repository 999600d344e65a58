/**
 * What all pairs of a run are computed in: tiles that need nothing of one another, in a fixed order.
 *
 * Sizes, masks and options alone decide, never how many parts a run is cut into: a run is all tiles, a part of a run is
 * some of them, and each gives the same bits in both.
 */
import type { Direction } from '../../core/jacobian';
import { isInitialSource, type PairsSource } from '../../core/reference/pairs-source';
import type { CellSizes } from '../cells/cell-sizes';
import type { ValidSteps } from '../cells/valid-steps';
import { directTiles, type DirectTile } from './pairs-direct';
import { flopOf, type PairsPlan } from './pairs-plan';

/** Tiles of one kind of source. */
export interface SourceTiles {
  readonly source: PairsSource;
  /** Whether the initial state is a source of the same tiles. */
  readonly hasInitial: boolean;
  readonly plan: PairsPlan;
  readonly tiles: readonly PairsTile[];
}

/** Consecutive segments of a sequence whose sources are carried together, `lo .. hi` of its computed steps. */
export interface BlockedTile {
  readonly sequence: number;
  readonly lo: number;
  readonly hi: number;
}

/** One tile: some lanes that are pushed, or the sources of some segments. */
export interface PairsTile {
  /** Its number among all tiles of the run. */
  readonly number: number;
  readonly flop: number;
  readonly direct: DirectTile | null;
  readonly blocked: BlockedTile | null;
}

/** Sources in a basis are joined over so many steps at least, which costs little beside one basis for all; and into so many tiles. */
const ADAPTIVE_TILE_STEPS = 1024;
const MOST_ADAPTIVE_TILES = 16;

/** What decides the tiles. */
export interface TileOrder {
  readonly cell: CellSizes;
  readonly batch: number;
  readonly valid: ValidSteps;
  readonly sources: readonly PairsSource[];
  /** Combinations of columns that stand for a source; null: all of its columns. */
  readonly sketch: number | null;
  planOf(source: PairsSource): PairsPlan;
}

/**
 * The tiles of all sources, in the order in which they are numbered.
 *
 * @param order - What decides them.
 */
export function tilesOf({ cell, batch, valid, sources, sketch, planOf }: TileOrder): readonly SourceTiles[] {
  // Whatever goes leaf by leaf over the inputs gives the initial state on its way.
  const givesInitial = sources.includes('input') && planOf('input').algorithm !== 'direct';
  let next = 0;
  return sources.map((source): SourceTiles => {
    const plan = source === 'initial' && givesInitial ? planOf('input') : planOf(source);
    const hasInitial = source === 'input' && sources.includes('initial');
    if (source === 'initial' && givesInitial) return { source, hasInitial, plan, tiles: [] };
    if (isInitialSource(source) || plan.algorithm === 'direct') {
      const tiles = directTiles(cell, batch, valid, source, sketch).map((direct): PairsTile => {
        return { number: next++, flop: direct.flop, direct, blocked: null };
      });
      return { source, hasInitial, plan, tiles };
    }
    const tiles: PairsTile[] = [];
    for (let sequence = 0; sequence < batch; sequence++) {
      const steps = valid.of(sequence).length;
      const whole = flopOf({ ...cell, steps, isNative: true, isExact: false, chunkBytes: 0 }, source, plan);
      for (const blocked of blockedTiles(sequence, steps, plan)) {
        // Sources meet every later target, so the first ones cost the most.
        const { lo, hi } = blocked;
        const share = ((steps - lo) ** 2 - (steps - hi) ** 2) / steps ** 2;
        tiles.push({ number: next++, flop: share * whole, direct: null, blocked });
      }
    }
    return { source, hasInitial, plan, tiles };
  });
}

/** The tiles of one sequence: one a segment, several where their sources may come to share a basis. */
function blockedTiles(sequence: number, steps: number, { segments, isAdaptive }: PairsPlan): readonly BlockedTile[] {
  const longest = segments[segments.length - 1];
  const least = isAdaptive ? Math.max(ADAPTIVE_TILE_STEPS, steps / MOST_ADAPTIVE_TILES) : 1;
  const length = longest * Math.ceil(least / longest);
  const tiles: BlockedTile[] = [];
  for (let lo = 0; lo < steps; lo += length) tiles.push({ sequence, lo, hi: Math.min(steps, lo + length) });
  return tiles;
}

/**
 * The sources, and the parts of the initial state with them where masked states before the first step stand for it.
 *
 * @param sources - What is wanted.
 * @param sequences - Time indices of the computed steps of each sequence.
 * @param run - T, and the direction.
 */
export function withLeadingStates(
  sources: readonly PairsSource[],
  sequences: readonly Int32Array[],
  { steps, direction }: { readonly steps: number; readonly direction: Direction },
): readonly PairsSource[] {
  const first = direction === 'forward' ? 0 : steps - 1;
  if (sequences.every((times) => times.length === 0 || times[0] === first)) return sources;
  const parts = (['hidden', 'cell'] as const).filter((part) => sources.includes(part));
  return [...sources, ...parts.map((part) => `initial-${part}` as const)];
}
