/**
 * Norms of all pairs by pushing: tiles of sources, each pushed to the last step.
 *
 * The way for cells that are small, or whose inputs are narrow, and for everything that the segment scan cannot do.
 */
import type { PairsSource } from '../../core/reference/propagate-pairs';
import type { CellRun } from '../cells/run-cell';
import type { ValidSteps } from '../cells/valid-steps';
import type { Pace } from '../pace';
import type { Arithmetic } from './arithmetic';
import { BLOCK_NORMS, NormRows } from './norm-rows';
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

/**
 * Blocks of norms, tile after tile of sources.
 *
 * @param arithmetic - Operations and cell.
 * @param run - States.
 * @param valid - The computed steps.
 * @param source - What is differentiated with respect to.
 * @param pace - Lets messages in.
 */
export async function* pairsDirect(
  arithmetic: Arithmetic,
  run: CellRun,
  valid: ValidSteps,
  source: PairsSource,
  pace: Pace,
): AsyncGenerator<SequenceBlock, void, void> {
  const { cell } = arithmetic;
  const width = source === 'input' ? cell.inputDim : cell.stateSize;
  const sourceBytes = 4 * cell.stateSize * width;
  const atOnce = Math.max(1, Math.floor(COLUMN_BYTES / sourceBytes));
  const tile = source === 'initial' ? 1 : Math.min(atOnce, valid.longest);
  const lanesAtOnce = Math.max(1, Math.floor(atOnce / tile));
  for (const first of spread(source === 'initial' ? 1 : Math.ceil(valid.longest / tile))) {
    const lanes: Lane[] = [];
    for (let sequence = 0; sequence < run.batch; sequence++) {
      if (valid.of(sequence).length > first * tile) lanes.push({ sequence, first: first * tile });
    }
    for (let at = 0; at < lanes.length; at += lanesAtOnce) {
      yield* pushTile(arithmetic, run, valid, source, lanes.slice(at, at + lanesAtOnce), tile, pace);
    }
  }
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
  lanes: readonly Lane[],
  tile: number,
  pace: Pace,
): AsyncGenerator<SequenceBlock, void, void> {
  const lengths = lanes.map(({ sequence, first }) => valid.of(sequence).length - first);
  const steps = Math.max(...lengths);
  const isInitial = source === 'initial';
  const sources = isInitial ? 0 : Math.min(tile, steps);
  const pushed = { source: isInitial ? 'input' : source, sources, hasInitial: isInitial } as const;
  const order = { lanes, steps, ...pushed, keptExponent: KEPT_EXPONENT };
  const rows = Math.max(1, Math.floor(BLOCK_NORMS / (lanes.length * Math.max(1, sources))));
  let gathered = lanes.map(() => new NormRows(Math.max(1, sources)));
  let start = 0;
  for await (const { taken, norms } of pushLanes(arithmetic, run, valid, order, pace)) {
    const known = isInitial ? 1 : Math.min(taken, sources);
    lanes.forEach((_, lane) => {
      if (taken <= lengths[lane]) gathered[lane].add(norms.h, norms.c, lane * known, known);
    });
    if (taken - start < rows && taken < steps) continue;
    for (const [lane, { sequence, first }] of lanes.entries()) {
      const targets = Math.min(taken, lengths[lane]) - start;
      if (targets <= 0) continue;
      const length = isInitial ? 1 : Math.min(sources, lengths[lane]);
      const arrays = gathered[lane].arrays(source, length);
      const place = { source, firstTarget: first + start, targets, firstSource: first, sources: length };
      yield { sequence, block: { ...place, firstSource: isInitial ? 0 : first, ...arrays } };
    }
    gathered = lanes.map(() => new NormRows(Math.max(1, sources)));
    start = taken;
  }
}
