/**
 * Which way all pairs are computed: a rule of sizes alone, so that every machine takes the same.
 *
 * Costs are useful FLOP, with what measurements showed of each way's speed.
 */
import type { PairsSource } from '../../core/reference/propagate-pairs';
import type { CellSizes } from '../cells/cell-sizes';
import { COLUMN_BYTES, LARGEST_CHUNK_BYTES, TARGET_GRAM_BYTES } from './plan';

/** The way of one kind of source. */
export interface PairsPlan {
  /** `direct`: tiles of sources pushed to the end; `blocked`: sources carried leaf by leaf; `scan`: segments merged. */
  readonly algorithm: 'direct' | 'blocked' | 'scan';
  /** Steps of a leaf of the scan. */
  readonly leafSteps: number;
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

/** Steps of a leaf of the scan, for sources as narrow as an input and for whole states. */
const SCAN_LEAF_STEPS = { input: 16, state: 8 } as const;

/** A basis is sought from so many steps on: at 1024 seeking it was measured to cost more than it saves. */
const FEWEST_ADAPTIVE_STEPS = 4096;

/** Fewer steps than so many leaves are pushed directly. */
const FEWEST_LEAVES = 4;

/** A column and a step of a leaf cost about so many times the useful FLOP: elementwise passes and norms go with them. */
const PUSH_OVERHEAD = 1.6;

/** What the overhead of one operation is worth, about 10 microseconds; and how many go with a step, a meeting, a merge. */
const OPERATION_FLOP = 1e6;
const STEP_OPERATIONS = 18;
const LEAF_STEP_OPERATIONS = 24;
const MEETING_OPERATIONS = { exact: 30, adaptive: 80 } as const;
const MERGE_OPERATIONS = 150;

/**
 * The cheapest way.
 *
 * @param sizes - Sizes of cell and run.
 * @param source - What is differentiated with respect to.
 */
export function planPairs(sizes: PairsSizes, source: PairsSource): PairsPlan {
  if (source === 'initial') return { algorithm: 'direct', leafSteps: 0, isAdaptive: false };
  const blockedLeaf = bestLeafSteps(sizes);
  const isAdaptive = seeksBasis(sizes);
  const ways = [
    { algorithm: 'direct', leafSteps: 0, isAdaptive: false, flop: directCost(sizes, source) },
    { algorithm: 'blocked', leafSteps: blockedLeaf, isAdaptive, flop: blockedCost(sizes, source, blockedLeaf) },
    {
      algorithm: 'scan',
      leafSteps: SCAN_LEAF_STEPS[source],
      isAdaptive: false,
      flop: scanCost(sizes, source, SCAN_LEAF_STEPS[source]),
    },
  ] as const;
  const most = (PAIRS_BYTES * Math.min(sizes.chunkBytes, LARGEST_CHUNK_BYTES)) / LARGEST_CHUNK_BYTES;
  const possible = ways.filter((way) => {
    if (way.algorithm === 'direct') return true;
    return sizes.steps > FEWEST_LEAVES * way.leafSteps && pairsBytes(sizes, source, way) <= most;
  });
  const { flop: _, ...plan } = possible.reduce<(typeof ways)[number]>(
    (best, way) => (way.flop < best.flop ? way : best),
    ways[0],
  );
  return plan;
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
  { algorithm, leafSteps }: Pick<PairsPlan, 'algorithm' | 'leafSteps'>,
): number {
  const { steps, inputDim, stateSize: S, stateBlocks } = sizes;
  const width = source === 'input' ? inputDim : S;
  if (algorithm === 'direct') return COLUMN_COPIES * Math.max(COLUMN_BYTES, 4 * S * width);
  const columns = COLUMN_COPIES * 4 * S * (S + leafSteps * width);
  const sources = 4 * S * width * steps;
  const grams = 3 * leafSteps * stateBlocks * S * S;
  if (algorithm === 'blocked') return columns + 1.5 * sources + 4 * leafSteps * S * S * 2 + 2 * grams;
  // Targets of the right half, sources of the left, and the run that is being moved beside its result.
  const moved = 4 * S * (S + width) * (steps / 4);
  return columns + 2 * S * S * steps + sources + moved + Math.min(TARGET_GRAM_BYTES, grams) + grams;
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
  return steps * (PUSH_OVERHEAD * pushFlop(sizes) * columns + OPERATION_FLOP * STEP_OPERATIONS);
}

/** Work and overhead of pushing tile after tile; on average half of the steps. */
function directCost(sizes: PairsSizes, source: 'input' | 'state'): number {
  const { steps, inputDim, stateSize } = sizes;
  const width = source === 'input' ? inputDim : stateSize;
  const tiles = Math.ceil((4 * stateSize * width * steps) / COLUMN_BYTES);
  const pushedSteps = (steps * (tiles + 1)) / 2;
  return PUSH_OVERHEAD * directFlop(sizes, source) + OPERATION_FLOP * STEP_OPERATIONS * pushedSteps;
}

/** Work and overhead of leaves and of every leaf's meeting with those before it. */
function blockedCost(sizes: PairsSizes, source: 'input' | 'state', leafSteps: number): number {
  const { steps } = sizes;
  const leaves = steps / leafSteps;
  const perMeeting = MEETING_OPERATIONS[seeksBasis(sizes) ? 'adaptive' : 'exact'];
  const operations = LEAF_STEP_OPERATIONS * steps + (perMeeting * leaves * leaves) / 2;
  return blockedFlop(sizes, source, leafSteps) + OPERATION_FLOP * operations;
}

/** Work and overhead of leaves and merges. */
function scanCost(sizes: PairsSizes, source: 'input' | 'state', leafSteps: number): number {
  const { steps } = sizes;
  const operations = LEAF_STEP_OPERATIONS * steps + (MERGE_OPERATIONS * steps) / leafSteps;
  return scanFlop(sizes, source, leafSteps) + OPERATION_FLOP * operations;
}

/** Steps of a leaf for which pushing inside and carrying over cost the same. */
function bestLeafSteps(sizes: PairsSizes): number {
  const { steps, stateSize } = sizes;
  const carried = GRAM_AND_MOVE * stateSize ** 2;
  return Math.max(4, Math.round(Math.sqrt((carried * steps) / (PUSH_OVERHEAD * pushFlop(sizes)))));
}

/** A row against a matrix of the state's size, and its part of a Gram matrix of which three quarters are formed. */
const GRAM_AND_MOVE = 2 + 1.5;

/**
 * FLOP of one way.
 *
 * @param sizes - Sizes of cell and run.
 * @param source - What is differentiated with respect to.
 * @param plan - The way.
 */
export function flopOf(
  sizes: PairsSizes,
  source: 'input' | 'state',
  { algorithm, leafSteps }: Pick<PairsPlan, 'algorithm' | 'leafSteps'>,
): number {
  if (algorithm === 'direct') return directFlop(sizes, source);
  return algorithm === 'scan' ? scanFlop(sizes, source, leafSteps) : blockedFlop(sizes, source, leafSteps);
}

/**
 * Pushing every source to the last step.
 *
 * @param sizes - Sizes of cell and run.
 * @param source - What is differentiated with respect to.
 * Source: method.md 2.5, "all pairs, forward".
 */
export function directFlop(sizes: PairsSizes, source: 'input' | 'state'): number {
  const { steps, inputDim, stateSize } = sizes;
  const width = source === 'input' ? inputDim : stateSize;
  return (pushFlop(sizes) * width * steps * (steps - 1)) / 2;
}

/**
 * Leaves, sources carried from leaf to leaf, and rectangles.
 *
 * @param sizes - Sizes of cell and run.
 * @param source - What is differentiated with respect to.
 * @param leafSteps - Steps of a leaf.
 */
export function blockedFlop(sizes: PairsSizes, source: 'input' | 'state', leafSteps: number): number {
  const { steps, inputDim, stateSize: S } = sizes;
  const width = source === 'input' ? inputDim : S;
  const carried = (steps * steps) / (2 * leafSteps);
  return (
    leavesFlop(sizes, width, leafSteps) +
    carried * width * GRAM_AND_MOVE * S * S +
    1.5 * steps * S ** 3 +
    rectanglesFlop(sizes)
  );
}

/**
 * Leaves, merges and rectangles of the scan.
 *
 * @param sizes - Sizes of cell and run.
 * @param source - What is differentiated with respect to.
 * @param leafSteps - Steps of a leaf.
 * Source: method.md 2.10.
 */
export function scanFlop(sizes: PairsSizes, source: 'input' | 'state', leafSteps: number): number {
  const { steps, inputDim, stateSize: S } = sizes;
  const width = source === 'input' ? inputDim : S;
  const levels = Math.max(0, Math.log2(steps / leafSteps));
  const merges = (steps / 2) * levels * GRAM_AND_MOVE * S * S * (S + width);
  return leavesFlop(sizes, width, leafSteps) + merges + rectanglesFlop(sizes);
}

/** The identity and what is injected, pushed to the end of each leaf. */
function leavesFlop(sizes: PairsSizes, width: number, leafSteps: number): number {
  return PUSH_OVERHEAD * sizes.steps * pushFlop(sizes) * (sizes.stateSize + (leafSteps * width) / 2);
}

/** Inner products of three quarters of the Gram matrices of all pairs, for h and for c. */
function rectanglesFlop({ stateSize, stateBlocks, steps }: PairsSizes): number {
  return 0.75 * stateBlocks * (stateSize * steps) ** 2;
}

/**
 * Useful FLOP of one column pushed through one step.
 *
 * @param sizes - Sizes of the cell.
 */
export function pushFlop({ operatorRows, operatorColumns, inputDim }: CellSizes): number {
  return 2 * operatorRows * (operatorColumns - inputDim);
}
