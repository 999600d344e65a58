/** D8: the spectral radius, and the transient growth that it does not see. */
import { eigenvalues, type Eigenvalues } from '../linalg/decompositions';
import { multiply } from '../linalg/products';
import { frobeniusNorm } from '../linalg/scaling';
import { spectralNorm } from '../linalg/spectral-norm';

/** The largest norm that powers of a matrix reach. */
export interface NonNormalPeak {
  /** max_k ||U^k||, k >= 1; a lower bound of it when not settled. */
  readonly value: number;
  /** The power at which it is reached. */
  readonly power: number;
  /** False where the powers do not fall below 1 within the budget, as with a spectral radius of 1 or more. */
  readonly isSettled: boolean;
}

const MAX_POWER = 2000;
/** Powers between two looks for the end, where a look costs more than a product. */
const END_CHECK_EVERY = 4;
/** About a third of a second in plain TypeScript. */
const MAX_FLOP = 3e8;

/**
 * rho(U) = max |eig U|, the spectral radius.
 *
 * Numerics: QR algorithm in float64; 1e-9 relative for well-conditioned eigenvalues, the root of rounding for a
 * defective one. Source: D8 of method.md.
 *
 * @param matrix - `[size, size]`.
 * @param size - Rows.
 * @returns NaN when an entry is not finite.
 */
export function spectralRadius(matrix: ArrayLike<number>, size: number): number {
  return largestModulus(eigenvalues(matrix, size));
}

/**
 * max |lambda|.
 *
 * @param found - Eigenvalues.
 * @returns NaN when one is.
 */
export function largestModulus({ real, imaginary }: Eigenvalues): number {
  let largest = 0;
  for (let at = 0; at < real.length; at++) {
    const magnitude = Math.hypot(real[at], imaginary[at]);
    if (Number.isNaN(magnitude)) return NaN;
    largest = Math.max(largest, magnitude);
  }
  return largest;
}

/**
 * max_k ||U^k||_2 over k >= 1: how much a non-normal matrix amplifies before it decays.
 *
 * Once some ||U^m|| <= 1, every later power is bounded by one before it, so the maximum up to m is exact.
 * Source: D8 of method.md; Kerg et al. 1905.12080.
 *
 * @param matrix - `[size, size]`.
 * @param size - Rows.
 * @param maxFlop - Work after which it gives up.
 * @returns `isSettled` false when that m is not reached within 2000 powers and `maxFlop`; value NaN for NaN entries.
 */
export function nonNormalPeak(matrix: ArrayLike<number>, size: number, maxFlop = MAX_FLOP): NonNormalPeak {
  const base = Float64Array.from(matrix);
  let powerMatrix: Float64Array = Float64Array.from(base);
  let spare: Float64Array = new Float64Array(base.length);
  let best = { value: spectralNorm(powerMatrix, size, size), power: 1 };
  if (Number.isNaN(best.value)) return { ...best, isSettled: false };
  if (best.value <= 1) return { ...best, isSettled: true };
  const maxPower = Math.min(MAX_POWER, Math.max(2, Math.floor(maxFlop / (2 * size ** 3))));
  for (let power = 2; power <= maxPower; power++) {
    multiply(powerMatrix, base, size, size, size, spare);
    [powerMatrix, spare] = [spare, powerMatrix];
    const bound = frobeniusNorm(powerMatrix);
    if (bound <= 1) return { ...best, isSettled: true };
    if (!Number.isFinite(bound)) break;
    // ||.||_F / sqrt(size) <= ||.||_2 <= ||.||_F: no new maximum, and mostly no end yet.
    if (bound <= best.value && (bound > Math.sqrt(size) || power % END_CHECK_EVERY !== 0)) continue;
    const value = spectralNorm(powerMatrix, size, size);
    if (value > best.value) best = { value, power };
    if (value <= 1) return { ...best, isSettled: true };
  }
  return { ...best, isSettled: false };
}
