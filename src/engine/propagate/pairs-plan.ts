/**
 * Which way all pairs are computed: a rule of sizes alone, so that every machine takes the same.
 *
 * Costs are useful FLOP, with what measurements showed of each way's speed.
 */
import { isInitialSource, sourceWidth, type PairsSource, type SteppedSource } from '../../core/reference/pairs-source';
import type { CellSizes } from '../cells/cell-sizes';
import { COLUMN_BYTES, LARGEST_CHUNK_BYTES } from './plan';
import { gramShare } from './quadrant';

/** The way of one kind of source. */
export interface PairsPlan {
  /** `direct`: tiles of sources pushed to the end; `blocked`: sources carried segment by segment. */
  readonly algorithm: 'direct' | 'blocked';
  /** Steps of a leaf, of a segment of leaves, of a segment of those; each a multiple of the one before. */
  readonly segments: readonly number[];
  /** Whether long products are kept in a basis of the rank that they have. */
  readonly isAdaptive: boolean;
}

/** What the choice depends on. */
export interface PairsSizes extends CellSizes {
  /** Computed steps of the longest sequence. */
  readonly steps: number;
  readonly isNative: boolean;
  /** No basis, whatever it would save. */
  readonly isExact: boolean;
  /** What the caller allows a chunk of results; what pairs may hold shrinks with it. */
  readonly chunkBytes: number;
}

/** What the matrices of one way may hold at once, with the largest chunks. */
const PAIRS_BYTES = 2 ** 31;

/** Columns before and after a step, their squares, and what is between. */
const COLUMN_COPIES = 5;

/** Steps of leaves that are tried, and in how many parts a longer segment may fall. */
const LEAF_STEPS = [4, 8, 16, 32, 64] as const;
const PARTS = [2, 4, 8] as const;
const MOST_LEVELS = 4;

/** A basis is sought from so many steps on: at 1024 seeking it was measured to cost more than it saves. */
const FEWEST_ADAPTIVE_STEPS = 4096;

/** Fewer steps than so many leaves are pushed directly. */
const FEWEST_LEAVES = 4;

/** What FLOP of one kind cost beside those of a large product: passes over memory and thin products go with them. */
const OVERHEAD = { push: 1.6, leaf: 1.9, gram: 1.25, meeting: 1.4 } as const;

/** What the overhead of one operation is worth, about 10 microseconds; and how many go with a step and a meeting. */
const OPERATION_FLOP = 1e6;
const STEP_OPERATIONS = 18;
const LEAF_STEP_OPERATIONS = 24;
const MEETING_OPERATIONS = { exact: 30, adaptive: 80 } as const;

/**
 * The cheapest way.
 *
 * @param sizes - Sizes of cell and run.
 * @param source - What is differentiated with respect to.
 */
export function planPairs(sizes: PairsSizes, source: PairsSource): PairsPlan {
  const direct = { algorithm: 'direct', segments: [], isAdaptive: false } as const;
  if (isInitialSource(source)) return direct;
  const isAdaptive = seeksBasis(sizes);
  const most = (PAIRS_BYTES * Math.min(sizes.chunkBytes, LARGEST_CHUNK_BYTES)) / LARGEST_CHUNK_BYTES;
  let best: PairsPlan = direct;
  let least = directCost(sizes, source);
  for (const segments of divisions(sizes.steps)) {
    const plan = { algorithm: 'blocked', segments, isAdaptive } as const;
    if (pairsBytes(sizes, source, plan) > most) continue;
    const cost = blockedCost(sizes, source, segments);
    if (cost < least) [best, least] = [plan, cost];
  }
  return best;
}

/** All ways to divide so many steps into segments of segments. */
function divisions(steps: number): readonly (readonly number[])[] {
  const found: (readonly number[])[] = [];
  const extend = (segments: readonly number[]): void => {
    found.push(segments);
    if (segments.length === MOST_LEVELS) return;
    for (const parts of PARTS) {
      const next = segments[segments.length - 1] * parts;
      if (next < steps) extend([...segments, next]);
    }
  };
  for (const leaf of LEAF_STEPS) if (steps > FEWEST_LEAVES * leaf) extend([leaf]);
  return found;
}

/**
 * Bytes of matrices that a way holds at once.
 *
 * @param sizes - Sizes of cell and run.
 * @param source - What is differentiated with respect to.
 * @param plan - The way.
 */
export function pairsBytes(
  sizes: PairsSizes,
  source: PairsSource,
  { algorithm, segments }: Pick<PairsPlan, 'algorithm' | 'segments'>,
): number {
  const { steps, stateSize: S, stateBlocks } = sizes;
  const width = sourceWidth(sizes, source);
  if (algorithm === 'direct') return COLUMN_COPIES * Math.max(COLUMN_BYTES, 4 * S * width);
  const [leaf] = segments;
  const longest = segments[segments.length - 1];
  const columns = COLUMN_COPIES * 4 * S * (S + leaf * width);
  const sources = 4 * S * width * steps;
  const grams = 4 * longest * S * S * gramShare(S) * (stateBlocks + 1);
  return columns + 1.5 * sources + 4 * longest * S * S * 2 + grams;
}

/** Whether sources are kept in a basis, where they are carried leaf by leaf. */
function seeksBasis({ isNative, isExact, steps }: PairsSizes): boolean {
  return isNative && !isExact && steps >= FEWEST_ADAPTIVE_STEPS;
}

/**
 * Work and overhead of one tile of sources that is pushed to the end.
 *
 * @param sizes - Sizes of the cell.
 * @param columns - Of all sources of the tile together.
 * @param steps - From its first source to the end.
 */
export function tileFlop(sizes: CellSizes, columns: number, steps: number): number {
  return steps * (OVERHEAD.push * pushFlop(sizes) * columns + OPERATION_FLOP * STEP_OPERATIONS);
}

/** Work and overhead of pushing tile after tile; on average half of the steps. */
function directCost(sizes: PairsSizes, source: SteppedSource): number {
  const { steps, stateSize } = sizes;
  const width = sourceWidth(sizes, source);
  const tiles = Math.ceil((4 * stateSize * width * steps) / COLUMN_BYTES);
  const pushedSteps = (steps * (tiles + 1)) / 2;
  return OVERHEAD.push * directFlop(sizes, source) + OPERATION_FLOP * STEP_OPERATIONS * pushedSteps;
}

/** Work and overhead of leaves, and of every part's meeting with those before it. */
function blockedCost(sizes: PairsSizes, source: SteppedSource, segments: readonly number[]): number {
  const { steps } = sizes;
  const { leaves, moves, grams, meetings } = blockedWork(sizes, source, segments);
  const work = OVERHEAD.leaf * leaves + moves + OVERHEAD.gram * grams + OVERHEAD.meeting * meetings;
  const parts = segments.slice(0, -1).reduce((sum, length) => sum + steps / length, 0);
  const runs = steps / segments[segments.length - 1];
  const perRun = MEETING_OPERATIONS[seeksBasis(sizes) ? 'adaptive' : 'exact'];
  const operations = LEAF_STEP_OPERATIONS * steps + 2 * MEETING_OPERATIONS.exact * parts + (perRun * runs * runs) / 2;
  return work + OPERATION_FLOP * operations;
}

/**
 * FLOP of one way.
 *
 * @param sizes - Sizes of cell and run.
 * @param source - What is differentiated with respect to.
 * @param plan - The way.
 */
export function flopOf(
  sizes: PairsSizes,
  source: SteppedSource,
  { algorithm, segments }: Pick<PairsPlan, 'algorithm' | 'segments'>,
): number {
  if (algorithm === 'direct') return directFlop(sizes, source);
  const { leaves, moves, grams, meetings } = blockedWork(sizes, source, segments);
  return leaves + moves + grams + meetings;
}

/**
 * Pushing every source to the last step.
 *
 * @param sizes - Sizes of cell and run.
 * @param source - What is differentiated with respect to.
 * Source: method.md 2.5, "all pairs, forward".
 */
export function directFlop(sizes: PairsSizes, source: SteppedSource): number {
  const { steps } = sizes;
  const width = sourceWidth(sizes, source);
  return (pushFlop(sizes) * width * steps * (steps - 1)) / 2;
}

/** FLOP of segments of segments, by kind. */
interface BlockedWork {
  /** The identity and what is injected, pushed to the end of each leaf. */
  readonly leaves: number;
  /** Targets moved back and sources moved on. */
  readonly moves: number;
  /** Gram matrices of both. */
  readonly grams: number;
  /** Inner products of Gram matrices. */
  readonly meetings: number;
}

/** Source: method.md 2.10, for segments of several parts. */
function blockedWork(sizes: PairsSizes, source: SteppedSource, segments: readonly number[]): BlockedWork {
  const { steps, stateSize: S, stateBlocks } = sizes;
  const width = sourceWidth(sizes, source);
  const [leaf] = segments;
  const move = 2 * S * S;
  const gram = 2 * S * S * gramShare(S);
  const leaves = steps * pushFlop(sizes) * (S + (leaf * width) / 2);
  const meetings = (steps * (steps - leaf) * gram * stateBlocks) / 2;
  let moves = 0;
  let grams = 0;
  segments.forEach((length, level) => {
    const isTop = level === segments.length - 1;
    const parts = (isTop ? steps : segments[level + 1]) / length;
    // All parts but the first have targets that meet sources; a source is carried over half of the parts.
    const later = 1 - 1 / parts;
    const carries = (parts - 1) / 2;
    moves += steps * move * (carries * width + (isTop ? 0 : S * (later + 1 / length)));
    grams += steps * gram * (carries * width + S * later);
  });
  return { leaves, moves, grams, meetings };
}

/**
 * Useful FLOP of one column pushed through one step.
 *
 * @param sizes - Sizes of the cell.
 */
export function pushFlop({ operatorRows, operatorColumns, inputDim }: CellSizes): number {
  return 2 * operatorRows * (operatorColumns - inputDim);
}
