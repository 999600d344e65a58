/** The rows of the known-value table of D13 and D24 to D26: random networks, losses, fixed points, sensitivity. */
import { meanFieldExponent } from './diagnostics/critical-gain';
import { findFixedPoints } from './diagnostics/fixed-points';
import { LossGradient } from './diagnostics/loss-gradient';
import { parameterSensitivity } from './diagnostics/parameter-sensitivity';
import { stepEigenvalues } from './diagnostics/step-eigenvalues';
import { LATCHED_STATE, scalarRnn } from './known-runs';
import type { CellState } from './reference/cell';
import { makeReferenceCell } from './reference/reference-cell';
import { runCell } from './reference/run-cell';

const LATCHED = scalarRnn(2, 1, { name: 'tanh' });
const AT_ATTRACTOR: CellState = { h: Float64Array.of(LATCHED_STATE), c: null };

function finish<T>(walk: Generator<undefined, T, void>): T {
  for (;;) {
    const { done, value } = walk.next();
    if (done) return value;
  }
}

/** The spectral radius at the fixed point of h = tanh(2h) that a start leads to. */
function multiplierAt(start: number): number {
  const starts = [{ h: Float64Array.of(start), c: null }];
  return finish(findFixedPoints(makeReferenceCell(LATCHED), new Float64Array(1), starts)).points[0].spectralRadius;
}

/** dL/dw of L = h_3 with h = w h + 1 from 0, w = .5: h_3 = 1 + w + w^2. */
function linearLoss(): { readonly whole: number; readonly shares: number } {
  const description = scalarRnn(0.5, 1, { name: 'linear' });
  const trajectory = runCell(makeReferenceCell(description), new Float64Array(3).fill(1));
  const gradient = new LossGradient(description);
  const sequence = { trajectory, row: Float64Array.of(1), computedStep: 2 };
  finish(gradient.add(sequence));
  const { shares } = finish(gradient.terms(sequence));
  const total = shares.reduce((sum, share, at) => sum + (at % 3 === 1 ? share : 0), 0);
  return { whole: gradient.whole().recurrentKernel![0], shares: total };
}

type Row = readonly [id: string, what: string, source: string, expected: number, tolerance: number];

function row([id, what, source, expected, tolerance]: Row, compute: () => number) {
  return { id, what, source, expected, tolerance, compute };
}

const tanh = { name: 'tanh' } as const;

/** The rows. */
export const GRADIENT_VALUES = [
  row(['D13.1.5', 'mean field exponent of tanh, gain 1.5', 'Sompolinsky et al. 1988', 0.0652, 5e-5], () =>
    meanFieldExponent(1.5, tanh),
  ),
  row(['D13.2', 'the same at gain 2', 'Sompolinsky et al. 1988', 0.1547, 5e-5], () => meanFieldExponent(2, tanh)),
  row(['D13.3', 'the same at gain 3', 'Sompolinsky et al. 1988', 0.3102, 5e-5], () => meanFieldExponent(3, tanh)),
  row(
    ['D24.whole', 'd h_3/dw of h = w h + 1 at w = .5: 1 + 2 w', 'Pascanu et al. 1211.5063', 2, 1e-14],
    () => linearLoss().whole,
  ),
  row(
    ['D24.shares', 'sum of the shares of its terms', 'Pascanu et al. 1211.5063', 1, 1e-14],
    () => linearLoss().shares,
  ),
  row(['D25.attractor', 'multiplier of h = tanh(2h) at h*', 'Sussillo and Barak 2013', 0.166372, 5e-7], () =>
    multiplierAt(0.9),
  ),
  row(['D25.origin', 'the same at h = 0', 'Sussillo and Barak 2013', 2, 1e-9], () => multiplierAt(0.01)),
  row(['D25.visited', 'eigenvalue of A_t of a run that rests at h*', 'method.md 2.2', 0.166372, 5e-7], () => {
    const cell = makeReferenceCell(LATCHED);
    const trajectory = runCell(cell, new Float64Array(3), { initial: AT_ATTRACTOR });
    return finish(stepEigenvalues(cell, trajectory, 1))[0].values[0];
  }),
  row(['D26.half', 'Var(dh/dw) of h = .5 h + x', 'Zucchet and Orvieto 2405.21064', 2.963, 5e-4], () =>
    parameterSensitivity(0.5),
  ),
  row(['D26.long', 'the same at w = .9', 'Zucchet and Orvieto 2405.21064', 263.9, 0.05], () =>
    parameterSensitivity(0.9),
  ),
] as const;
