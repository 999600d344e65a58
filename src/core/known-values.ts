/**
 * The known-value table of method.md, section 3: what `tempograd selfcheck` and the tests compute and compare.
 *
 * Each row is worked out on the reference cells and the diagnostics; the rows of `known-runs.ts` can be run on any
 * engine besides.
 */
import { gateSaturation } from './diagnostics/saturation';
import { biasTimescale } from './diagnostics/forget-timescale';
import { highwayShare } from './diagnostics/highway-share';
import { horizonOf } from './diagnostics/horizon';
import { checkCausality, checkMask } from './diagnostics/causality';
import { auditStepJacobians } from './diagnostics/finite-difference';
import { lagSeries } from './diagnostics/lag-series';
import { orthogonality } from './diagnostics/orthogonality';
import { receptiveField } from './diagnostics/receptive-field';
import { nonNormalPeak, spectralRadius } from './diagnostics/spectral-radius';
import { stateVerdict } from './diagnostics/verdict';
import { GRADIENT_VALUES } from './known-gradients';
import { carouselLstm, diagonalRnn, KNOWN_RUNS, LATCHED_STATE, scalarRnn } from './known-runs';
import { SPECTRUM_VALUES } from './known-spectra';
import type { CellDescription } from './model';
import { zeroState } from './reference/cell';
import { leadingExponent } from './reference/leading-exponent';
import { propagateFinal } from './reference/propagate-final';
import { makeReferenceCell } from './reference/reference-cell';
import { runCell } from './reference/run-cell';
import type { StateVerdict } from './summary';

/** One row: a number (or a verdict's label) that is known beforehand. */
export interface KnownValue {
  readonly id: string;
  readonly what: string;
  readonly source: string;
  readonly expected: number | string;
  /** Absolute; 0 for labels. */
  readonly tolerance: number;
  readonly compute: () => number | string;
}

/**
 * True when what was computed is within the tolerance of what is expected.
 *
 * @param row - The row.
 * @param got - What `row.compute` gave, or what an engine gave for the same question.
 */
export function isAsExpected(row: Pick<KnownValue, 'expected' | 'tolerance'>, got: number | string): boolean {
  if (typeof got === 'string' || typeof row.expected === 'string') return got === row.expected;
  return Math.abs(got - row.expected) <= row.tolerance;
}

/** l_k of `final` over zeros `[T, 1]`. */
function finalSeries(
  description: CellDescription,
  steps: number,
  state: 'h' | 'c',
  initialHidden: Float64Array | null,
): Float64Array {
  const cell = makeReferenceCell(description);
  const initial = { ...zeroState(cell), ...(initialHidden === null ? {} : { h: initialHidden }) };
  const trajectory = runCell(cell, new Float64Array(steps * cell.inputDim), { initial });
  const norms = new Float64Array(steps);
  for (const { step, h, c } of propagateFinal(cell, trajectory)) {
    norms[step] = state === 'h' ? h.logNorm : (c?.logNorm ?? NaN);
  }
  return lagSeries(norms, 'forward');
}

/** ln w^k for k = 0 .. steps - 1, the series of a linear scalar cell. */
function geometricSeries(ratio: number, steps: number): Float64Array {
  return Float64Array.from({ length: steps }, (_, k) => k * Math.log(ratio));
}

function verdictOn(series: Float64Array): StateVerdict {
  return stateVerdict([series], { state: 'h', warmUp: null, span: null, lyapunovMax: null });
}

/** A small LSTM with fixed weights of all signs, for the checks that hold for any weights. */
function plainLstm(): CellDescription {
  const wave = (count: number, phase: number): Float64Array =>
    Float64Array.from({ length: count }, (_, at) => Math.sin(phase + 1.7 * at));
  const lstm = carouselLstm([0, 0, 0, 0], [0, 0, 0, 0]);
  return {
    ...lstm,
    units: 3,
    inputDim: 2,
    kernel: { shape: [2, 12], data: wave(24, 1) },
    recurrentKernel: { shape: [3, 12], data: wave(36, 2) },
    bias: { shape: [12], data: wave(12, 3) },
  };
}

const STEPS = 10;
const WAVE_INPUT = Float64Array.from({ length: STEPS * 2 }, (_, at) => Math.cos(2.3 * at));
const MASK = Uint8Array.of(1, 0, 1, 1, 0, 0, 1, 1, 1, 0);

function plainRun(mask: Uint8Array | null): (x: Float64Array) => Float64Array {
  const cell = makeReferenceCell(plainLstm());
  return (x) => runCell(cell, x, { mask }).h;
}

function exponentOf(description: CellDescription, steps: number, initialHidden: Float64Array | null = null): number {
  const cell = makeReferenceCell(description);
  const initial = { ...zeroState(cell), ...(initialHidden === null ? {} : { h: initialHidden }) };
  return leadingExponent(cell, runCell(cell, new Float64Array(steps), { initial }), 0);
}

function carouselShare(): number {
  const cell = makeReferenceCell(carouselLstm([0, 1, 0, 0], [1, 1, 1, 1]));
  const trajectory = runCell(
    cell,
    Float64Array.from({ length: 20 }, (_, t) => Math.sin(t)),
  );
  return highwayShare(cell, trajectory, [10])[0];
}

function saturationAt(bias: number): { readonly left: number; readonly right: number } {
  const cell = makeReferenceCell(carouselLstm([0, bias, 0, 0], [0, 0, 0, 0]));
  return gateSaturation(runCell(cell, new Float64Array(20)).gates.f, 1);
}

const SHEAR = [0.9, 10, 0, 0.9];
const ROTATION = [Math.cos(1), -Math.sin(1), Math.sin(1), Math.cos(1)];
const linear = { name: 'linear' } as const;

/** The rows of `known-runs.ts` on the reference cells. */
const RUN_ROWS: readonly KnownValue[] = KNOWN_RUNS.map((run) => ({
  id: run.id,
  what: `ln of ${run.what}`,
  source: run.source,
  expected: run.expected,
  tolerance: run.tolerance,
  compute: () => finalSeries(run.cell, run.steps, run.state, run.initialHidden)[run.lag],
}));

type Row = readonly [id: string, what: string, source: string, expected: number | string, tolerance: number];

function row([id, what, source, expected, tolerance]: Row, compute: () => number | string): KnownValue {
  return { id, what, source, expected, tolerance, compute };
}

/** The whole table. */
export const KNOWN_VALUES: readonly KnownValue[] = [
  ...RUN_ROWS,
  ...SPECTRUM_VALUES,
  ...GRADIENT_VALUES,
  row(
    ['D2', 'pairs (t, s), s > t, where h_t changes with x_s', 'definition', 0, 0],
    () => checkCausality(plainRun(null), WAVE_INPUT, STEPS, 'forward').violations.length,
  ),
  row(
    ['D3', 'states that change with the input of a masked step', 'Keras masking', 0, 0],
    () => checkMask(plainRun(MASK), WAVE_INPUT, MASK).violations.length,
  ),
  row(['D4', 'largest deviation of A_t and B_t from central differences', 'standard', 0, 1e-6], () => {
    const cell = makeReferenceCell(plainLstm());
    return auditStepJacobians(cell, runCell(cell, WAVE_INPUT)).relativeError;
  }),
  row(['D8.radius', 'spectral radius of [[.9, 10], [0, .9]]', 'Kerg et al. 1905.12080', 0.9, 1e-7], () =>
    spectralRadius(SHEAR, 2),
  ),
  row(
    ['D8.peak', 'largest norm of its powers', 'Kerg et al. 1905.12080', 38.746, 5e-4],
    () => nonNormalPeak(SHEAR, 2).value,
  ),
  row(['D8.power', 'the power that reaches it', 'Kerg et al. 1905.12080', 9, 0], () => nonNormalPeak(SHEAR, 2).power),
  row(
    ['D10.orthogonal', 'orthogonality margin of a rotation', 'Arjovsky et al. 1511.06464', 0, 1e-12],
    () => orthogonality(ROTATION, 2).margin,
  ),
  row(
    ['D10.scaled', 'orthogonality margin of 1.05 rotation', 'Vorontsov et al. 1702.00071', 0.05, 1e-12],
    () =>
      orthogonality(
        ROTATION.map((value) => 1.05 * value),
        2,
      ).margin,
  ),
  row(['D12.linear', 'leading exponent of diag(1.1, 1, .5): ln 1.1', 'Vogt et al. 2006.14123', 0.0953, 5e-5], () =>
    exponentOf(diagonalRnn([1.1, 1, 0.5], [1, 1, 1], linear), 200),
  ),
  row(['D12.latched', 'exponent of h = tanh(2h) at its attractor', 'Engelken et al. 2006.02427', -1.79353, 5e-6], () =>
    exponentOf(scalarRnn(2, 1, { name: 'tanh' }), 200, Float64Array.of(LATCHED_STATE)),
  ),
  row(
    ['D15.slope', 'slope of .9^k', 'Chen et al. 1806.05394', -0.10536, 5e-6],
    () => verdictOn(geometricSeries(0.9, 100)).slope ?? NaN,
  ),
  row(
    ['D15.timeConstant', 'its time constant', 'Chen et al. 1806.05394', 9.4912, 5e-5],
    () => verdictOn(geometricSeries(0.9, 100)).timeConstant ?? NaN,
  ),
  row(
    ['D15.halfLife', 'its half-life', 'Chen et al. 1806.05394', 6.5788, 5e-5],
    () => verdictOn(geometricSeries(0.9, 100)).halfLife ?? NaN,
  ),
  row(
    ['D15.horizon', 'its horizon: first lag below 1e-3', 'method.md 3.1', 66, 0],
    () => horizonOf(geometricSeries(0.9, 100)) ?? NaN,
  ),
  row(
    ['D16.mean', 'mean lag of p_k ~ .9^k', 'Luo et al. 1701.04128', 9, 1e-9],
    () => receptiveField(geometricSeries(0.9, 1000))?.mean ?? NaN,
  ),
  row(
    ['D16.spread', 'its standard deviation', 'Luo et al. 1701.04128', 9.4868, 5e-5],
    () => receptiveField(geometricSeries(0.9, 1000))?.spread ?? NaN,
  ),
  row(
    ['D16.lag95', 'its 95 % lag', 'Luo et al. 1701.04128', 28, 0],
    () => receptiveField(geometricSeries(0.9, 1000))?.lag95 ?? NaN,
  ),
  row(
    ['D17', 'timescale of a forget bias of 1', 'Mahto et al. 2009.12727', 3.1922, 5e-5],
    () => biasTimescale(Float64Array.of(1), { name: 'sigmoid' }).max,
  ),
  row(
    ['D19.right', 'share of an open gate, bias 10', 'Karpathy et al. 1506.02078', 1, 0],
    () => saturationAt(10).right,
  ),
  row(['D19.left', 'share of a shut gate, bias -10', 'Karpathy et al. 1506.02078', 1, 0], () => saturationAt(-10).left),
  row(['D20', 'highway share without recurrent weights', 'Kerg (h-detach) 1810.03023', 1, 1e-12], carouselShare),
  ...(
    [
      ['vanishing', 'w = .9, T = 50, by extrapolation', () => geometricSeries(0.9, 50)],
      ['carried', 'w = 1, T = 50', () => geometricSeries(1, 50)],
      ['exploding', 'w = 1.1, T = 100', () => geometricSeries(1.1, 100)],
      [
        'vanishing',
        'latched h = tanh(2h), although w = 2',
        () => finalSeries(scalarRnn(2, 1, { name: 'tanh' }), 100, 'h', Float64Array.of(LATCHED_STATE)),
      ],
      ['undetermined', 'B = 1, T = 8', () => geometricSeries(0.9, 8)],
    ] as const
  ).map(([label, what, series], at) =>
    row([`verdict.${at + 1}`, `verdict on ${what}`, 'method.md 3.1', label, 0], () => verdictOn(series()).verdict),
  ),
];
