/** Log norms of all pairs of steps of a batch in float64, as the engines give them. */
import type { PairsChunk } from '../../core/jacobian';
import type { ReferenceCell } from '../../core/reference/cell';
import { isInitialSource, sourceWidth, type PairsSource } from '../../core/reference/pairs-source';
import {
  pairsTile,
  pairsTiles,
  propagatePairs,
  type PairsRow,
  type SourceTile,
} from '../../core/reference/propagate-pairs';
import type { Trajectory } from '../../core/reference/run-cell';
import type { PairsOptions } from '../engine';
import { Pace } from '../pace';
import { BLOCK_NORMS, NormRows } from './norm-rows';
import { withLeadingStates } from './pairs-tiles';
import { beforeFirstStep, inTime, type PairsBlock } from './pairs-times';
import { referenceTimes } from './reference-pair-blocks';

/**
 * Rectangles of log norms; see `PairsChunk`.
 *
 * Numerics: float64. Source: method.md 2.5 and 2.7.
 *
 * @param cell - The cell.
 * @param trajectories - One per sequence.
 * @param options - What is wanted, and the report.
 */
export async function* referencePairs(
  cell: ReferenceCell,
  trajectories: readonly Trajectory[],
  { sources, signal, report, part }: PairsOptions,
): AsyncGenerator<PairsChunk, void, void> {
  const pace = new Pace(signal);
  let tile = 0;
  for (const source of allSources(cell, trajectories, sources)) {
    if (!isInitialSource(source) || source === 'initial') report.ways[source] = 'direct';
    for (const [sequence, trajectory] of trajectories.entries()) {
      const times = referenceTimes(cell, trajectory, sequence);
      if (part?.givesKnown !== false) yield* beforeFirstStep(times, source);
      const tiles = pairsTiles(cell, trajectory, source).filter(() => (part ? part.tiles.has(tile++) : true));
      for await (const block of gatherBlocks(cell, trajectory, source, tiles, pace)) {
        yield* inTime(times, block, sources);
      }
    }
  }
}

/**
 * The cost of each tile in FLOP, by its number.
 *
 * @param cell - The cell.
 * @param trajectories - One per sequence.
 * @param sources - What is wanted.
 */
export function referencePairsTiles(
  cell: ReferenceCell,
  trajectories: readonly Trajectory[],
  sources: readonly PairsSource[],
): Float64Array {
  const flopOf = (source: PairsSource, { count, steps }: SourceTile): number =>
    2 * steps * cell.stateSize ** 2 * count * sourceWidth(cell, source);
  const tilesOf = (source: PairsSource): number[] =>
    trajectories.flatMap((one) => pairsTiles(cell, one, source).map((tile) => flopOf(source, tile)));
  return Float64Array.from(allSources(cell, trajectories, sources).flatMap(tilesOf));
}

function allSources(
  cell: ReferenceCell,
  trajectories: readonly Trajectory[],
  sources: readonly PairsSource[],
): readonly PairsSource[] {
  const all = trajectories.map((trajectory, sequence) => referenceTimes(cell, trajectory, sequence));
  return withLeadingStates(
    sources,
    all.map(({ valid }) => valid),
    all[0],
  );
}

/** Rows of norms as blocks. */
async function* gatherBlocks(
  cell: ReferenceCell,
  trajectory: Trajectory,
  source: PairsSource,
  tiles: readonly SourceTile[],
  pace: Pace,
): AsyncGenerator<PairsBlock, void, void> {
  const width = pairsTile(cell, source, trajectory.steps);
  let rows = new NormRows(width);
  let last: PairsRow | null = null;
  const blockOf = ({ target, firstSource, sources }: PairsRow): PairsBlock => {
    const place = { firstTarget: target + 1 - rows.count, targets: rows.count, firstSource, sources };
    return { source, ...place, ...rows.arrays(source, sources) };
  };
  for (const row of propagatePairs(cell, trajectory, source, tiles)) {
    const isNewTile = last !== null && last.firstSource !== row.firstSource;
    if (last && (isNewTile || rows.count * width >= BLOCK_NORMS)) {
      yield blockOf(last);
      rows = new NormRows(width);
    }
    rows.add(row.h, row.c, 0, row.sources);
    last = { ...row };
    await pace.breathe();
  }
  if (last) yield blockOf(last);
}
