/**
 * Which way all pairs are computed: a rule of sizes alone, so that every machine takes the same.
 *
 * Costs are useful FLOP, with what measurements showed of each way's speed.
 */
import type { PairsSource } from '../../core/reference/propagate-pairs';
import type { CellSizes } from '../cells/cell-sizes';

/** The way of one kind of source. */
export interface PairsPlan {
  /** `direct`: tiles of sources pushed to the end. `scan`: segments merged by products. */
  readonly algorithm: 'direct' | 'scan';
  /** Steps of a leaf of the scan. */
  readonly leafSteps: number;
}

/** What the choice depends on. */
export interface PairsSizes extends CellSizes {
  /** Computed steps of the longest sequence. */
  readonly steps: number;
  readonly isNative: boolean;
}

/** Steps of a leaf for sources as narrow as an input, and for whole states. */
const LEAF_STEPS = { input: 16, state: 8 } as const;

/**
 * The cheaper way.
 *
 * @param sizes - Sizes of cell and run.
 * @param source - What is differentiated with respect to.
 */
export function planPairs(sizes: PairsSizes, source: PairsSource): PairsPlan {
  if (source === 'initial') return { algorithm: 'direct', leafSteps: 0 };
  const leafSteps = LEAF_STEPS[source];
  const isScan = sizes.steps > 4 * leafSteps && scanFlop(sizes, source, leafSteps) < directFlop(sizes, source);
  return { algorithm: isScan ? 'scan' : 'direct', leafSteps };
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
  const leaves = steps * pushFlop(sizes) * (S + (leafSteps * width) / 2);
  // Products with totals, and Gram matrices of which three quarters are formed, of the rows of both sides.
  const merges = (steps / 2) * levels * (2 + 1.5) * S * S * (S + width);
  const rectangles = 1.5 * S * S * sizes.stateBlocks * (steps * steps) * 0.5;
  return leaves + merges + rectangles;
}

/** One column pushed through one step. */
function pushFlop({ operatorRows, operatorColumns, inputDim }: PairsSizes): number {
  return 2 * operatorRows * (operatorColumns - inputDim);
}
