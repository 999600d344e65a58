/**
 * Which way all pairs are computed: a rule of sizes alone, so that every machine takes the same.
 *
 * Costs are useful FLOP, with what measurements showed of each way's speed.
 */
import type { PairsSource } from '../../core/reference/propagate-pairs';
import type { CellSizes } from '../cells/cell-sizes';

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
}

/** Steps of a leaf of the scan, for sources as narrow as an input and for whole states. */
const SCAN_LEAF_STEPS = { input: 16, state: 8 } as const;

/** Fewer steps than so many leaves are pushed directly. */
const FEWEST_LEAVES = 4;

/** A column and a step of a leaf cost about so many times the useful FLOP: elementwise passes and norms go with them. */
const PUSH_OVERHEAD = 1.6;

/**
 * The cheapest way.
 *
 * @param sizes - Sizes of cell and run.
 * @param source - What is differentiated with respect to.
 */
export function planPairs(sizes: PairsSizes, source: PairsSource): PairsPlan {
  if (source === 'initial') return { algorithm: 'direct', leafSteps: 0, isAdaptive: false };
  const blockedLeaf = bestLeafSteps(sizes);
  const isAdaptive = sizes.isNative && !sizes.isExact;
  const ways = [
    { algorithm: 'direct', leafSteps: 0, isAdaptive: false, flop: PUSH_OVERHEAD * directFlop(sizes, source) },
    { algorithm: 'blocked', leafSteps: blockedLeaf, isAdaptive, flop: blockedFlop(sizes, source, blockedLeaf) },
    {
      algorithm: 'scan',
      leafSteps: SCAN_LEAF_STEPS[source],
      isAdaptive: false,
      flop: scanFlop(sizes, source, SCAN_LEAF_STEPS[source]),
    },
  ] as const;
  const possible = ways.filter(({ leafSteps }) => sizes.steps > FEWEST_LEAVES * leafSteps || leafSteps === 0);
  const { flop: _, ...plan } = possible.reduce<(typeof ways)[number]>(
    (best, way) => (way.flop < best.flop ? way : best),
    ways[0],
  );
  return plan;
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

/** One column pushed through one step. */
function pushFlop({ operatorRows, operatorColumns, inputDim }: PairsSizes): number {
  return 2 * operatorRows * (operatorColumns - inputDim);
}
