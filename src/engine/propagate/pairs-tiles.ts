/**
 * What all pairs of a run are computed in: tiles that need nothing of one another, in a fixed order.
 *
 * Sizes, masks and options alone decide, never how many parts a run is cut into: a run is all tiles, a part of a run is
 * some of them, and each gives the same bits in both.
 */
import type { PairsSource } from '../../core/reference/propagate-pairs';
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

/** One tile: some lanes that are pushed, or a whole sequence. */
export interface PairsTile {
  /** Its number among all tiles of the run. */
  readonly number: number;
  readonly flop: number;
  readonly direct: DirectTile | null;
  /** null with `direct`. */
  readonly sequence: number | null;
}

/** What decides the tiles. */
export interface TileOrder {
  readonly cell: CellSizes;
  readonly batch: number;
  readonly valid: ValidSteps;
  readonly sources: readonly PairsSource[];
  planOf(source: PairsSource): PairsPlan;
}

/**
 * The tiles of all sources, in the order in which they are numbered.
 *
 * @param order - What decides them.
 */
export function tilesOf({ cell, batch, valid, sources, planOf }: TileOrder): readonly SourceTiles[] {
  // Whatever goes leaf by leaf over the inputs gives the initial state on its way.
  const givesInitial = sources.includes('input') && planOf('input').algorithm !== 'direct';
  let next = 0;
  return sources.map((source): SourceTiles => {
    const plan = source === 'initial' && givesInitial ? planOf('input') : planOf(source);
    const hasInitial = source === 'input' && sources.includes('initial');
    if (source === 'initial' && givesInitial) return { source, hasInitial, plan, tiles: [] };
    if (source === 'initial' || plan.algorithm === 'direct') {
      const tiles = directTiles(cell, batch, valid, source).map((direct): PairsTile => {
        return { number: next++, flop: direct.flop, direct, sequence: null };
      });
      return { source, hasInitial, plan, tiles };
    }
    const tiles: PairsTile[] = [];
    for (let sequence = 0; sequence < batch; sequence++) {
      const steps = valid.of(sequence).length;
      if (steps === 0) continue;
      const flop = flopOf({ ...cell, steps, isNative: true, isExact: false, chunkBytes: 0 }, source, plan);
      tiles.push({ number: next++, flop, direct: null, sequence });
    }
    return { source, hasInitial, plan, tiles };
  });
}
