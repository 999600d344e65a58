/** D25: states that a constant input leaves where they are, and what happens beside them. */
import { eigenvalues } from '../linalg/decompositions';
import { frobeniusNorm } from '../linalg/scaling';
import { solveInPlace } from '../linalg/solve';
import { newCellStep, newStepJacobians, type CellState, type ReferenceCell } from '../reference/cell';

/** Newton steps from one start. */
const MAX_STEPS = 60;
/** A step is halved so often at most before the search from this start ends. */
const MAX_HALVINGS = 24;
/** ||F(s) - s|| beside 1 + ||s|| at a fixed point. */
const AT_REST = 1e-12;
/** Two points nearer than this, beside 1 + ||s||, are one. */
const SAME_POINT = 1e-6;

/** A fixed point. */
export interface FixedPoint {
  /** s*, `[S]`: h, then c. */
  readonly state: Float64Array;
  /** ||F(s*) - s*|| */
  readonly residual: number;
  /** max |eig A(s*)|. */
  readonly spectralRadius: number;
  /** Eigenvalues outside the unit circle. */
  readonly unstable: number;
  /** How many starts led here. */
  readonly visits: number;
}

/** What a search found. */
export interface FixedPointSearch {
  /** Most visited first. */
  readonly points: readonly FixedPoint[];
  /** Starts that led nowhere. */
  readonly lost: number;
}

/**
 * s* = F(s*, x) by damped Newton steps, (A - I) d = s - F(s), from visited states, with the eigenvalues of A(s*).
 *
 * Stable where all eigenvalues lie inside the unit circle. Numerics: float64; a point counts at 1e-12.
 * Source: D25 of method.md; Sussillo and Barak 2013, Golub and Sussillo 2018.
 *
 * @param cell - The cell.
 * @param x - The constant input, `[D]`.
 * @param starts - States to begin from.
 * @returns A generator that stops after each Newton step and ends with the search.
 * @throws TempogradError `numerics/not-converged` when eigenvalues do not settle.
 */
export function* findFixedPoints(
  cell: ReferenceCell,
  x: Float64Array,
  starts: readonly CellState[],
): Generator<undefined, FixedPointSearch, void> {
  const found: { state: Float64Array; residual: number; visits: number }[] = [];
  let lost = 0;
  for (const start of starts) {
    const end = yield* newton(cell, x, start);
    if (end === null) {
      lost++;
      continue;
    }
    const known = found.find(({ state }) => distance(state, end.state) <= SAME_POINT * (1 + frobeniusNorm(state)));
    if (known) known.visits++;
    else found.push({ ...end, visits: 1 });
  }
  const points: FixedPoint[] = [];
  for (const { state, residual, visits } of found) {
    const { real, imaginary } = eigenvalues(jacobianAt(cell, x, state), cell.stateSize);
    const moduli = real.map((part, at) => Math.hypot(part, imaginary[at]));
    const unstable = moduli.reduce((count, modulus) => count + Number(modulus >= 1), 0);
    points.push({ state, residual, spectralRadius: Math.max(...moduli), unstable, visits });
    yield;
  }
  return { points: points.sort((a, b) => b.visits - a.visits), lost };
}

/** The point that damped Newton steps come to; null where they come to none. */
function* newton(
  cell: ReferenceCell,
  x: Float64Array,
  start: CellState,
): Generator<undefined, { state: Float64Array; residual: number } | null, void> {
  const { stateSize: size } = cell;
  let state = joined(cell, start);
  let gap = gapAt(cell, x, state);
  let norm = frobeniusNorm(gap);
  for (let step = 0; step < MAX_STEPS; step++) {
    if (norm <= AT_REST * (1 + frobeniusNorm(state))) return { state, residual: norm };
    if (!Number.isFinite(norm)) return null;
    const matrix = jacobianAt(cell, x, state);
    for (let at = 0; at < size; at++) matrix[at * size + at] -= 1;
    const move = gap.map((value) => -value);
    if (!solveInPlace(matrix, move, size)) return null;
    let isBetter = false;
    for (let halving = 0, share = 1; halving <= MAX_HALVINGS && !isBetter; halving++, share /= 2) {
      const next = state.map((value, at) => value + share * move[at]);
      const nextGap = gapAt(cell, x, next);
      const nextNorm = frobeniusNorm(nextGap);
      isBetter = nextNorm < norm;
      if (isBetter) [state, gap, norm] = [next, nextGap, nextNorm];
    }
    yield;
    if (!isBetter) return null;
  }
  return null;
}

/** F(s) - s. */
function gapAt(cell: ReferenceCell, x: Float64Array, state: Float64Array): Float64Array {
  const out = newCellStep(cell);
  cell.step(x, parted(cell, state), out);
  return joined(cell, out).map((value, at) => value - state[at]);
}

function jacobianAt(cell: ReferenceCell, x: Float64Array, state: Float64Array): Float64Array {
  const jacobians = newStepJacobians(cell);
  cell.linearise(x, parted(cell, state), jacobians, 'state');
  return jacobians.stateJacobian;
}

function parted({ hiddenSize, hasCell }: ReferenceCell, state: Float64Array): CellState {
  return { h: state.subarray(0, hiddenSize), c: hasCell ? state.subarray(hiddenSize) : null };
}

function joined({ stateSize, hiddenSize }: ReferenceCell, { h, c }: CellState): Float64Array {
  const state = new Float64Array(stateSize);
  state.set(h);
  if (c) state.set(c, hiddenSize);
  return state;
}

function distance(a: Float64Array, b: Float64Array): number {
  return frobeniusNorm(a.map((value, at) => value - b[at]));
}
