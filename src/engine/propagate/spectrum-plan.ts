/** How many tangents a spectrum takes, and whether the singular values of the whole run are within reach. */
import { CURVE_GRID, curvePoints } from '../../core/spectrum-sum';
import type { CellSizes } from '../cells/cell-sizes';
import type { EngineName } from '../engine';
import { VECTORS_LENGTH } from './plan';

/** Tangents when nothing is said. */
export const DEFAULT_EXPONENTS = 64;

/** FLOP per S^3 and step of a QR of all S tangents with the product of their triangles. */
const FULL_FLOP = { native: 12, host: 7 } as const;

/** Work for singular values that were not asked for by `all`, and for those that were; about 1 s, and some minutes. */
const BUDGET_FLOP = { native: [2e10, 8e12], host: [1e9, 1e11] } as const;

/** Steps between two QRs at most. */
export const LONGEST_GROUP = CURVE_GRID;

/** Reals of tangents that are held at once. */
const TANGENTS_LENGTH = 2 ** 22;

/** What is computed. */
export interface SpectrumPlan {
  /** p, the exponents that are given. */
  readonly count: number;
  /** Tangents that are pushed: p, or all S. */
  readonly tangents: number;
  readonly hasSingularValues: boolean;
  /** Why there are no singular values; null where there are. */
  readonly reason: string | null;
}

/**
 * The plan: a rule of sizes alone.
 *
 * @param stateSize - S
 * @param batch - B
 * @param steps - T
 * @param exponents - How many are asked for.
 * @param engine - Which engine runs it.
 */
export function planSpectrum(
  stateSize: number,
  batch: number,
  steps: number,
  exponents: number | 'all',
  engine: EngineName,
): SpectrumPlan {
  const count = exponents === 'all' ? stateSize : Math.min(exponents, stateSize);
  const kind = engine === 'tensorflow' ? 'native' : 'host';
  const flop = FULL_FLOP[kind] * stateSize ** 3 * steps * batch;
  const budget = BUDGET_FLOP[kind][exponents === 'all' ? 1 : 0];
  if (flop <= budget) return { count, tangents: stateSize, hasSingularValues: true, reason: null };
  const way = exponents === 'all' ? 'fewer steps or sequences' : '--exponents all';
  const reason =
    `the singular values of ds_T/ds_0 for ${stateSize} states, ${steps} steps and ${batch} sequences take ` +
    `${flop.toExponential(1)} FLOP, more than the ${budget.toExponential(0)} that this engine spends on them; use ${way}`;
  return { count, tangents: count, hasSingularValues: false, reason };
}

/**
 * Sequences whose tangents are pushed together.
 *
 * @param sizes - Of the cell.
 * @param batch - B
 * @param tangents - Of each sequence.
 * @param isNative - Whether the native library runs it.
 */
export function spectrumSequences(
  { vectorLength, stateSize }: Pick<CellSizes, 'vectorLength' | 'stateSize'>,
  batch: number,
  tangents: number,
  isNative: boolean,
): number {
  const byVectors = VECTORS_LENGTH[isNative ? 'native' : 'host'] / (vectorLength * LONGEST_GROUP);
  const byTangents = TANGENTS_LENGTH / (stateSize * tangents);
  return Math.max(1, Math.floor(Math.min(batch, byVectors, byTangents)));
}

/** What a spectrum takes. */
export interface SpectrumCost {
  readonly flop: number;
  /** Bytes of its arrays. */
  readonly resultBytes: number;
  /** Bytes held at once. */
  readonly workingBytes: number;
}

/**
 * Pushing tangents and making them orthonormal, and the product of the triangles for singular values.
 *
 * @param sizes - Of the cell.
 * @param formFlop - Forming one step's operator.
 * @param batch - B
 * @param steps - T
 * @param exponents - How many are asked for.
 * @param engine - Which engine runs it.
 */
export function spectrumCost(
  sizes: CellSizes,
  formFlop: number,
  batch: number,
  steps: number,
  exponents: number | 'all',
  engine: EngineName,
): SpectrumCost {
  const { stateSize: S, operatorRows, operatorColumns, inputDim } = sizes;
  const { tangents, count, hasSingularValues } = planSpectrum(S, batch, steps, exponents, engine);
  const push = 2 * operatorRows * (operatorColumns - inputDim) * tangents + 4 * S * tangents * tangents;
  const product = hasSingularValues ? (2 / 3) * S ** 3 : 0;
  const points = curvePoints(steps).length;
  const sequences = engine === 'reference' ? 1 : spectrumSequences(sizes, batch, tangents, engine !== 'wasm');
  // Tangents before and after, in both precisions, with Gram matrices; operators; triangles and their product.
  const perSequence = 64 * S * tangents + 24 * operatorRows * operatorColumns + (hasSingularValues ? 64 * S * S : 0);
  return {
    flop: batch * steps * (formFlop + push + product),
    resultBytes: 8 * batch * (count * (1.5 + points) + (hasSingularValues ? S : 0)) + 4 * points,
    workingBytes: sequences * perSequence + 4 * VECTORS_LENGTH.native,
  };
}
