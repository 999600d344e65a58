/**
 * The rows of the known-value table that rest on spectra: D5 to D7, D11, D12, D14, D18, D22 and D23 of method.md.
 */
import { largestRealPart } from './diagnostics/antisymmetric-reading';
import { entropyRate, kaplanYorkeDimension } from './diagnostics/attractor-dimension';
import { effectiveRank, stableRank } from './diagnostics/channel-rank';
import { chronoRange } from './diagnostics/chrono-range';
import { conditionNumber } from './diagnostics/condition-number';
import { pascanuBound } from './diagnostics/pascanu-bound';
import { diagonalRnn } from './known-runs';
import type { CellDescription } from './model';
import { lyapunovSpectrum } from './reference/lyapunov-spectrum';
import { makeReferenceCell } from './reference/reference-cell';
import { runCell } from './reference/run-cell';
import type { SequenceSpectrum } from './spectrum-sum';
import { makeTensor } from './tensor';

const linear = { name: 'linear' } as const;

/** The whole spectrum over zeros `[T, D]`, from h = 0. */
function spectrumOf(description: CellDescription, steps: number): SequenceSpectrum {
  const cell = makeReferenceCell(description);
  const trajectory = runCell(cell, new Float64Array(steps * cell.inputDim));
  return lyapunovSpectrum(cell, trajectory, { count: cell.stateSize, warmUp: 0, hasSingularValues: true });
}

/** A SimpleRNN of two units that turns its state by one radian and scales it. */
function rotationRnn(scale: number, activation: CellDescription['activation']): CellDescription {
  const [c, s] = [scale * Math.cos(1), scale * Math.sin(1)];
  return {
    ...diagonalRnn([0, 0], [0, 0], activation),
    recurrentKernel: makeTensor([2, 2], Float64Array.of(c, s, -s, c)),
  };
}

/** A GRU of one unit without weights whose update gate is sigma(bias). */
function leakyGru(bias: number): CellDescription {
  return {
    kind: 'GRU',
    units: 1,
    inputDim: 1,
    kernel: makeTensor([1, 3], new Float64Array(3)),
    recurrentKernel: makeTensor([1, 3], new Float64Array(3)),
    bias: makeTensor([3], Float64Array.of(bias, 0, 0)),
    activation: { name: 'tanh' },
    recurrentActivation: { name: 'sigmoid' },
    resetAfter: false,
    clip: null,
  };
}

type Row = readonly [id: string, what: string, source: string, expected: number, tolerance: number];

function row([id, what, source, expected, tolerance]: Row, compute: () => number) {
  return { id, what, source, expected, tolerance, compute };
}

const halving = (): Float64Array => spectrumOf(diagonalRnn([1, 0.5], [0, 0], linear), 10).logSingularValues!;
const three = (): Float64Array => spectrumOf(diagonalRnn([1.1, 1, 0.5], [0, 0, 0], linear), 100).exponents;
const RANKED = [2, 1, 1].map(Math.log);
const chrono = (): number =>
  chronoRange(Float64Array.of(4.5951), Float64Array.of(-4.5951), { name: 'sigmoid' }).range[0];

/** The rows. */
export const SPECTRUM_VALUES = [
  row(['D5.orthogonal', 'largest ln sigma of a rotation, lag 100', 'Saxe et al. 1312.6120', 0, 1e-12], () =>
    Math.max(...spectrumOf(rotationRnn(1, linear), 100).logSingularValues!.map(Math.abs)),
  ),
  row(['D5.halving', 'smallest sigma of diag(1, .5), lag 10', 'Chen et al. 1806.05394', 9.766e-4, 5e-8], () =>
    Math.exp(halving()[1]),
  ),
  row(['D6', 'condition number of diag(1, .5), lag 10', 'Engelken 2312.17306', 1024, 1e-9], () =>
    conditionNumber(halving()),
  ),
  row(['D7.bound', 'bound of tanh with U = .5 rotation', 'Pascanu et al. 1211.5063', 0.5, 1e-12], () =>
    pascanuBound(0.5, { name: 'tanh' })!,
  ),
  row(['D7.norm', 'largest sigma of its ds_T/ds_0 at h = 0, lag 20', 'Pascanu et al. 1211.5063', 9.537e-7, 5e-11], () =>
    Math.exp(spectrumOf(rotationRnn(0.5, { name: 'tanh' }), 20).logSingularValues![0]),
  ),
  row(['D11', 'largest real part of the eigenvalues of W - W^T', 'Chang et al. 1902.09689', 0, 1e-12], () =>
    largestRealPart([0, 2, -1, -2, 0, 3, 1, -3, 0], 3),
  ),
  row(['D12.second', 'second exponent of (1.1, 1, .5)', 'Engelken et al. 2006.02427', 0, 1e-12], () => three()[1]),
  row(['D12.third', 'third exponent: ln .5', 'Engelken et al. 2006.02427', -0.6931, 5e-5], () => three()[2]),
  row(['D12.sum', 'their sum: ln |det W|', 'Engelken et al. 2006.02427', -0.5978, 5e-5], () =>
    three().reduce((sum, value) => sum + value),
  ),
  row(['D14.dimension', 'Kaplan-Yorke dimension of (.1, -.05, -.2)', 'Engelken et al. 2006.02427', 2.25, 1e-12], () =>
    kaplanYorkeDimension([0.1, -0.05, -0.2], 3)!,
  ),
  row(['D14.entropy', 'its entropy rate', 'Engelken et al. 2006.02427', 0.1, 1e-15], () =>
    entropyRate([0.1, -0.05, -0.2], 3)!,
  ),
  row(['D18', 'steps that a forget bias of ln 99 is set for', 'Tallec and Ollivier 1804.11188', 100, 5e-3], chrono),
  row(
    ['D22.half', 'ln |dh_T/dh_0| of a GRU with z = .5, lag 10', 'Can et al. 2002.00025', -6.9315, 5e-5],
    () => spectrumOf(leakyGru(0), 10).logSingularValues![0],
  ),
  row(
    ['D22.open', 'the same with z = 1', 'Can et al. 2002.00025', 0, 1e-12],
    () => spectrumOf(leakyGru(100), 10).logSingularValues![0],
  ),
  row(['D23.effective', 'effective rank of (2, 1, 1)', 'Roy and Vetterli 2007', 2.8284, 5e-5], () =>
    effectiveRank(RANKED),
  ),
  row(['D23.stable', 'stable rank of (2, 1, 1)', 'Rudelson and Vershynin 2007', 1.5, 1e-12], () => stableRank(RANKED)),
  row(['D23.full', 'effective rank of sixteen equal values', 'Roy and Vetterli 2007', 16, 1e-12], () =>
    effectiveRank(new Float64Array(16)),
  ),
] as const;
