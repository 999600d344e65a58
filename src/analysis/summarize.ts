/**
 * From what a run has gathered to its summary: verdicts for h and for c, diagnostics, assumptions and warnings.
 */
import { TimescaleSum, type ForgetTimescale } from '../core/diagnostics/forget-timescale';
import { highwaySteps } from '../core/diagnostics/highway-share';
import { disagreementWarning, layerVerdict } from '../core/diagnostics/joint-verdict';
import { meanReceptiveField } from '../core/diagnostics/receptive-field';
import { SaturationCount } from '../core/diagnostics/saturation';
import { stateVerdict } from '../core/diagnostics/verdict';
import type { Direction, StateName } from '../core/jacobian';
import { cellsOf, type Assumption, type RecurrentLayer, type Warning } from '../core/model';
import { makeReferenceCell } from '../core/reference/reference-cell';
import type { Diagnostics, LayerVerdict, StateVerdict, Summary } from '../core/summary';
import type { LayerInput, LayerRun, RealArray } from '../engine/engine';
import type { Pace } from '../engine/pace';
import { trajectoryOf } from '../engine/trajectories';
import type { RunRequest, StartedEvent, StatesEvent } from '../shared/run';
import type { LagCurves } from './lag-curves';
import { matrixDiagnostics } from './matrix-diagnostics';

/** What a summary is made from. */
export interface Gathered {
  readonly version: string;
  readonly source: Summary['model'];
  readonly request: RunRequest;
  /** What a random input was drawn from; null for a file. */
  readonly randomInput: string | null;
  readonly layer: RecurrentLayer;
  readonly started: StartedEvent;
  readonly states: StatesEvent;
  readonly run: LayerRun;
  readonly input: LayerInput;
  readonly lags: LagCurves;
  /** `[B]` per direction. */
  readonly exponents: ReadonlyMap<Direction, Float64Array>;
  readonly seconds: number;
  readonly assumptions: readonly Assumption[];
  readonly warnings: readonly Warning[];
}

/** Work allowed for the highway share, FLOP; about a second in plain TypeScript. */
const HIGHWAY_FLOP = 1e9;
const HIGHWAY_LAG = 10;

/**
 * The summary of a run.
 *
 * @param gathered - Everything the run found.
 * @param pace - Lets messages in between the longer diagnostics.
 * @throws `signal.reason` of the pace when it is aborted.
 */
export async function summarize(gathered: Gathered, pace: Pace): Promise<Summary> {
  const { layer, started, request, run } = gathered;
  const { cell } = cellsOf(layer.operation)[0]!;
  const hidden = verdictOn('h', gathered);
  await pace.breathe();
  const cellVerdict = started.hasCell ? verdictOn('c', gathered) : null;
  await pace.breathe();
  const matrices = await matrixDiagnostics(layer, pace);
  await pace.breathe();
  const diagnostics = { ...matrices.diagnostics, ...(await runDiagnostics(gathered, pace)) };
  return {
    schema: 1,
    tempograd: gathered.version,
    engine: started.engine,
    model: gathered.source,
    layer: {
      name: layer.name,
      kind: cell.kind,
      units: cell.units,
      inputDim: cell.inputDim,
      direction: started.directions.length === 2 ? 'bidirectional' : started.directions[0]!,
      activation: cell.activation.name,
      recurrentActivation: cell.kind === 'SimpleRNN' ? null : cell.recurrentActivation.name,
      resetAfter: cell.kind === 'GRU' ? cell.resetAfter : null,
      sourceGateOrder: layer.origin.sourceGateOrder,
    },
    run: {
      batch: run.batch,
      steps: run.steps,
      wrt: request.wrt,
      modes: request.modes,
      seed: request.input.kind === 'random' ? request.input.seed : null,
      input: request.input.kind === 'file' ? request.input.path : null,
      randomInput: gathered.randomInput,
      warmUp: request.warmUp,
      seconds: gathered.seconds,
      peakBytes: started.estimate.peakBytes,
      exact: true,
      probeError: null,
    },
    hidden,
    cell: cellVerdict,
    diagnostics,
    assumptions: gathered.assumptions,
    warnings: [
      ...gathered.warnings,
      ...matrices.warnings,
      ...highwayLeftOut(diagnostics),
      ...disagreements('h', hidden),
      ...(cellVerdict ? disagreements('c', cellVerdict) : []),
      ...undefinedExponents(gathered),
      ...chaoticTrajectory(gathered),
      ...(await notFiniteStates(gathered, pace)),
    ],
  };
}

function verdictOn(state: StateName, gathered: Gathered): LayerVerdict {
  const { started, request, lags, exponents } = gathered;
  const verdicts: Partial<Record<Direction, StateVerdict>> = {};
  for (const { direction, hasCell } of started.parts) {
    if (state === 'c' && !hasCell) continue;
    if (!request.modes.includes('final')) {
      verdicts[direction] = withoutFinal(meanOf(exponents.get(direction)));
      continue;
    }
    verdicts[direction] = stateVerdict(lags.curves(state, direction), {
      state,
      warmUp: request.warmUp,
      span: request.span,
      lyapunovMax: meanOf(exponents.get(direction)),
    });
  }
  return layerVerdict(verdicts);
}

/** The verdict rests on the Jacobians of the last state; a run without them has none. */
function withoutFinal(lyapunovMax: number | null): StateVerdict {
  return {
    verdict: 'undetermined',
    slope: null,
    slopeInterval: null,
    lyapunovMax,
    halfLife: null,
    timeConstant: null,
    horizon: null,
    meanLag: null,
    confidence: null,
    why: 'The mode final was not asked for, and the verdict rests on it.',
  };
}

function meanOf(values: Float64Array | undefined): number | null {
  if (!values || values.length === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Number.isFinite(mean) ? mean : null;
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Diagnostics that need the states of the run. */
async function runDiagnostics(gathered: Gathered, pace: Pace): Promise<Diagnostics> {
  const { started, states, request, lags } = gathered;
  const rows = started.batch * started.steps;
  const saturation: Record<string, { left: number; right: number }> = {};
  for (const [gate, values] of Object.entries(states.gates)) {
    // The candidate is not a gate: it lies between -1 and 1, and saturation below 0.1 means nothing there.
    if (gate === 'g' || gate === 'n') continue;
    const count = new SaturationCount(values.length / rows);
    await inRows(values, rows, states.mask, pace, (part, mask) => count.add(part, mask));
    const { left, right } = count.result();
    saturation[gate] = { left, right };
  }
  const keep = states.gates['f'] ?? states.gates['z'];
  let timescale: ForgetTimescale | null = null;
  if (keep) {
    const sum = new TimescaleSum(keep.length / rows);
    await inRows(keep, rows, states.mask, pace, (part, mask) => sum.add(part, mask));
    timescale = sum.result();
  }
  const field = request.modes.includes('final') ? meanReceptiveField(lags.curves('h', started.directions[0]!)) : null;
  return {
    ...(Object.keys(saturation).length > 0 && { saturation }),
    ...(timescale && { forgetTimescale: { median: finiteOrNull(timescale.median), max: finiteOrNull(timescale.max) } }),
    ...(field && { receptiveField: field }),
    ...(started.hasCell && { highwayShare: await highwayShares(gathered, pace) }),
  };
}

/** Entries looked at between two looks at the event loop. */
const ENTRIES_AT_ONCE = 2 ** 18;

/** Calls `take` with every piece of the rows `[rows, H]` and of their mask, letting messages in between. */
async function inRows(
  values: RealArray,
  rows: number,
  mask: Uint8Array | null,
  pace: Pace,
  take: (part: RealArray, mask: Uint8Array | null) => void,
): Promise<void> {
  const width = values.length / rows;
  const count = Math.max(1, Math.floor(ENTRIES_AT_ONCE / width));
  for (let from = 0; from < rows; from += count) {
    const to = Math.min(rows, from + count);
    take(values.subarray(from * width, to * width), mask?.subarray(from, to) ?? null);
    await pace.breathe();
  }
}

/** D20 of the first sequence and the first direction that is an LSTM, at lag 10 and over the whole run where that is affordable. */
async function highwayShares(gathered: Gathered, pace: Pace): Promise<Record<string, number | null>> {
  const { layer, run } = gathered;
  const { cell, direction } = cellsOf(layer.operation).find((entry) => entry.cell.kind === 'LSTM')!;
  const perLag = 16 * cell.units ** 3;
  const valid = validSteps(gathered);
  const lags = [HIGHWAY_LAG, valid].filter((lag) => lag <= valid && lag > 0 && lag * perLag <= HIGHWAY_FLOP);
  const wanted = [...new Set(lags)].sort((a, b) => a - b);
  const shares: Record<string, number | null> = { [String(HIGHWAY_LAG)]: null, full: null };
  if (wanted.length === 0) return shares;
  const lagByLag = highwaySteps(makeReferenceCell(cell), trajectoryOf(run, gathered.input, cell, direction, 0), wanted);
  let step = lagByLag.next();
  for (; !step.done; step = lagByLag.next()) await pace.breathe();
  const found = step.value;
  wanted.forEach((lag, index) => {
    const share = finiteOrNull(found[index]!);
    if (lag === HIGHWAY_LAG) shares[String(HIGHWAY_LAG)] = share;
    if (lag === valid) shares['full'] = share;
  });
  return shares;
}

function validSteps({ run, input }: Gathered): number {
  if (!input.mask) return run.steps;
  return input.mask.data.subarray(0, run.steps).reduce((sum, flag) => sum + flag, 0);
}

function disagreements(state: StateName, verdict: LayerVerdict): readonly Warning[] {
  const directions: readonly (Direction | null)[] = verdict.forward ? ['forward', 'backward'] : [null];
  return directions
    .map((direction) => disagreementWarning(state, direction === null ? verdict : verdict[direction]!, direction))
    .filter((warning) => warning !== null);
}

/** Why a highway share is null where it is. */
function highwayLeftOut({ highwayShare: shares }: Diagnostics): readonly Warning[] {
  const missing = Object.keys(shares ?? {}).filter((lag) => shares![lag] === null);
  if (missing.length === 0) return [];
  return [
    {
      code: 'diagnostics/left-out',
      message: `highwayShare is null at lag ${missing.join(' and ')}: the run is shorter, both paths are zero, or the products are too large for float64 in TypeScript.`,
      remedy: 'The verdict does not rest on it.',
    },
  ];
}

/** Why `lyapunovMax` is null where it is. */
function undefinedExponents({ exponents }: Gathered): readonly Warning[] {
  const values = [...exponents.values()].flatMap((entry) => [...entry]);
  const dead = values.filter((value) => value === -Infinity).length;
  const other = values.filter((value) => !Number.isFinite(value)).length - dead;
  if (dead + other === 0) return [];
  const reasons = [
    ...(dead > 0 ? [`the tangent becomes exactly zero in ${dead}`] : []),
    ...(other > 0 ? [`no finite step is left after the warm-up in ${other}`] : []),
  ];
  return [
    {
      code: 'numerics/exponent-undefined',
      message: `lyapunovMax is null: of ${values.length} sequences and directions ${reasons.join(', ')}.`,
      remedy: 'The verdict rests on the measured norms, not on the exponent.',
    },
  ];
}

/** Relative error of one step: float32, or float64 of the reference engine. */
const ROUNDING = { tensorflow: 6e-8, wasm: 6e-8, reference: 1e-16 } as const;
/** Relative error of a trajectory from which on its digits mean nothing; method.md section 4. */
const PARTED = 1e-4;

/** A positive exponent makes rounding grow until trajectories part; the Jacobians are then those of this trajectory. */
function chaoticTrajectory({ exponents, started }: Gathered): readonly Warning[] {
  const largest = Math.max(...[...exponents.values()].map((values) => meanOf(values) ?? -Infinity));
  if (!(largest > 0)) return [];
  const reach = Math.floor(Math.log(PARTED / ROUNDING[started.engine.name]) / largest);
  if (started.steps <= reach) return [];
  return [
    {
      code: 'numerics/trajectories-part',
      message:
        `The leading exponent is ${largest.toPrecision(2)} nats per step: rounding grows so fast that trajectories ` +
        `of different engines may part after about ${reach} of ${started.steps} steps.`,
      remedy: 'The Jacobians are exact along the trajectory that this engine computed; compare verdicts, not digits.',
    },
  ];
}

/** States that left the finite numbers; silent where the file itself holds such weights, which explains them. */
async function notFiniteStates({ states, started, warnings }: Gathered, pace: Pace): Promise<readonly Warning[]> {
  let count = 0;
  await inRows(states.h, started.batch * started.steps, null, pace, (part) => {
    for (const value of part) if (!Number.isFinite(value)) count++;
  });
  if (count === 0 || warnings.some(({ code }) => code === 'numerics/not-finite')) return [];
  return [
    {
      code: 'numerics/not-finite',
      message: `The hidden state has ${count} values that are NaN or infinite.`,
      remedy: 'Look at the weights and the input; results that depend on them carry NaN.',
    },
  ];
}
