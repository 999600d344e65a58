/**
 * Norms of all pairs by pushing: tiles of sources, each pushed to the last step.
 *
 * The way for cells that are small, or whose inputs are narrow, and for everything that segments cannot do.
 */
import { isInitialSource, sourceWidth, statePartOf, type PairsSource } from '../../core/reference/pairs-source';
import type { CellSizes } from '../cells/cell-sizes';
import type { CellRun } from '../cells/run-cell';
import type { ValidSteps } from '../cells/valid-steps';
import type { Pace } from '../pace';
import type { Arithmetic } from './arithmetic';
import { BLOCK_NORMS, NormRows } from './norm-rows';
import { tileFlop } from './pairs-plan';
import type { PairsBlock } from './pairs-times';
import { COLUMN_BYTES } from './plan';
import { pushLanes, type Lane } from './push-lanes';

/** Norms are kept near 2^24: far above where a strongly contracting step loses digits, squares far below infinity. */
const KEPT_EXPONENT = 24;

/** A block of one sequence. */
export interface SequenceBlock {
  readonly sequence: number;
  readonly block: PairsBlock;
}

/** Sources that are pushed together: from one computed step on, of some sequences. */
export interface DirectTile {
  readonly lanes: readonly Lane[];
  /** Sources of each lane at most. */
  readonly sources: number;
  /** Steps from one source to the next. */
  readonly stride: number;
  readonly flop: number;
}

/**
 * The tiles of a run, by the place of their sources; sizes and masks alone decide.
 *
 * @param cell - Sizes of the cell.
 * @param batch - B
 * @param valid - The computed steps.
 * @param source - What is differentiated with respect to.
 * @param sketch - Combinations of columns that stand for a source; null: all of its columns. Estimates come from coarse
 * to fine: a tile has sources from all of the run.
 */
export function directTiles(
  cell: CellSizes,
  batch: number,
  valid: ValidSteps,
  source: PairsSource,
  sketch: number | null,
): readonly DirectTile[] {
  const width = Math.min(sourceWidth(cell, source), sketch ?? Infinity);
  const sourceBytes = 4 * cell.stateSize * width;
  const atOnce = Math.max(1, Math.floor(COLUMN_BYTES / sourceBytes));
  const tile = isInitialSource(source) ? 1 : Math.min(atOnce, valid.longest);
  const lanesAtOnce = Math.max(1, Math.floor(atOnce / tile));
  const tiles: DirectTile[] = [];
  const end = isInitialSource(source) ? 1 : valid.longest;
  const stride = sketch === null || isInitialSource(source) ? 1 : Math.ceil(valid.longest / tile);
  const [between, last] = stride === 1 ? [tile, end] : [1, stride];
  for (let first = 0; first < last; first += between) {
    const all: Lane[] = [];
    for (let sequence = 0; sequence < batch; sequence++) {
      if (valid.of(sequence).length > first) all.push({ sequence, first });
    }
    for (let at = 0; at < all.length; at += lanesAtOnce) {
      const lanes = all.slice(at, at + lanesAtOnce);
      const steps = Math.max(...lanes.map(({ sequence }) => valid.of(sequence).length - first));
      // Sources all along the way are pushed half of it.
      const share = stride === 1 ? 1 : 0.5;
      const flop = tileFlop(cell, share * lanes.length * tile * width, steps);
      tiles.push({ lanes, sources: tile, stride, flop });
    }
  }
  return tiles;
}

/**
 * Blocks of norms, tile after tile of sources.
 *
 * @param arithmetic - Operations and cell.
 * @param run - States.
 * @param valid - The computed steps.
 * @param source - What is differentiated with respect to.
 * @param tiles - What `directTiles` gave, or some of it.
 * @param sketch - As for `directTiles`.
 * @param pace - Lets messages in.
 */
export async function* pairsDirect(
  arithmetic: Arithmetic,
  run: CellRun,
  valid: ValidSteps,
  source: PairsSource,
  tiles: readonly DirectTile[],
  sketch: number | null,
  pace: Pace,
): AsyncGenerator<SequenceBlock, void, void> {
  for (const at of spread(tiles.length)) yield* pushTile(arithmetic, run, valid, source, tiles[at], sketch, pace);
}

/** The numbers below `count`, every part of the range soon: bit reversal. */
export function spread(count: number): readonly number[] {
  const bits = Math.ceil(Math.log2(Math.max(1, count)));
  const order: number[] = [];
  for (let at = 0; at < 2 ** bits; at++) {
    let turned = 0;
    for (let bit = 0; bit < bits; bit++) if (at & (1 << bit)) turned |= 1 << (bits - 1 - bit);
    if (turned < count) order.push(turned);
  }
  return order;
}

/** One tile of sources of some sequences, all starting at the same computed step. */
async function* pushTile(
  arithmetic: Arithmetic,
  run: CellRun,
  valid: ValidSteps,
  source: PairsSource,
  { lanes, sources: tile, stride }: DirectTile,
  sketch: number | null,
  pace: Pace,
): AsyncGenerator<SequenceBlock, void, void> {
  const lengths = lanes.map(({ sequence, first }) => valid.of(sequence).length - first);
  const steps = Math.max(...lengths);
  const isInitial = isInitialSource(source);
  const sources = isInitial ? 0 : Math.min(tile, Math.ceil(steps / stride));
  const initialPart = statePartOf(source);
  const pushed = {
    source: isInitialSource(source) ? 'input' : source,
    sources,
    hasInitial: isInitial,
    initialPart,
    stride,
    sketch,
  } as const;
  const order = { lanes, steps, ...pushed, keptExponent: KEPT_EXPONENT };
  const rows = Math.max(1, Math.floor(BLOCK_NORMS / (lanes.length * Math.max(1, sources))));
  let gathered = lanes.map(() => new NormRows(Math.max(1, sources)));
  let start = 0;
  for await (const { taken, norms } of pushLanes(arithmetic, run, valid, order, pace)) {
    const known = isInitial ? 1 : Math.min(Math.ceil(taken / stride), sources);
    lanes.forEach((_, lane) => {
      if (taken <= lengths[lane]) gathered[lane].add(norms.h, norms.c, lane * known, known);
    });
    if (taken - start < rows && taken < steps) continue;
    for (const [lane, { sequence, first }] of lanes.entries()) {
      const targets = Math.min(taken, lengths[lane]) - start;
      if (targets <= 0) continue;
      const length = isInitial ? 1 : Math.min(sources, Math.ceil(lengths[lane] / stride));
      const arrays = gathered[lane].arrays(source, length);
      const firstSource = isInitial ? 0 : first;
      const block = { source, firstTarget: first + start, targets, firstSource, sources: length, ...arrays };
      if (stride === 1) yield { sequence, block };
      else for (let k = 0; k < length; k++) yield { sequence, block: oneSource(block, k, first + k * stride) };
    }
    gathered = lanes.map(() => new NormRows(Math.max(1, sources)));
    start = taken;
  }
}

/** The norms of source k of a block, which lies at a step of its own. */
function oneSource(block: PairsBlock, k: number, step: number): PairsBlock {
  const { h, c, s, targets, sources } = block;
  const column = (norms: Float64Array | null): Float64Array | null =>
    norms && Float64Array.from({ length: targets }, (_, t) => norms[t * sources + k]);
  return { ...block, firstSource: step, sources: 1, h: column(h), c: column(c), s: column(s) };
}
