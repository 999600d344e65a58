/**
 * From what a run has gathered to its summary: verdicts for h and for c, diagnostics, assumptions and warnings.
 */
import { disagreementWarning, layerVerdict } from '../core/diagnostics/joint-verdict';
import { stateVerdict } from '../core/diagnostics/verdict';
import type { Direction, StateName } from '../core/jacobian';
import { cellsOf, hiddenSize, type CellDescription, type Warning } from '../core/model';
import type { Diagnostics, LayerVerdict, StateVerdict, Summary } from '../core/summary';
import type { Pace } from '../engine/pace';
import type { Gathered } from './gathered';
import { inRows } from './in-rows';
import { matrixDiagnostics } from './matrix-diagnostics';
import { runDiagnostics } from './run-diagnostics';
import { spectrumDiagnostics } from './spectrum-diagnostics';
import { weightReadings } from './weight-readings';

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
  const spectrum = request.modes.includes('spectrum') ? await spectrumDiagnostics(gathered, pace) : null;
  const diagnostics = {
    ...matrices.diagnostics,
    ...weightReadings(layer, matrices.diagnostics.spectralNorm ?? {}),
    ...spectrum?.diagnostics,
    ...(await runDiagnostics(gathered, pace)),
  };
  return {
    schema: 1,
    tempograd: gathered.version,
    engine: started.engine,
    model: gathered.source,
    layer: {
      name: layer.name,
      kind: cell.kind,
      units: cell.units,
      outputSize: hiddenSize(cell),
      inputDim: cell.inputDim,
      direction: started.directions.length === 2 ? 'bidirectional' : started.directions[0]!,
      activation: cell.activation.name,
      recurrentActivation: cell.kind === 'SimpleRNN' ? null : cell.recurrentActivation.name,
      ...optionsOf(cell),
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
      exact: gathered.bases.probeError === null,
      probeError: gathered.bases.probeError,
      redone: gathered.bases.redone,
      ...(request.modes.includes('pairs') && { pairs: gathered.bases.ways }),
    },
    hidden,
    cell: cellVerdict,
    diagnostics,
    ...(spectrum && { spectra: spectrum.spectra }),
    assumptions: gathered.assumptions,
    warnings: [
      ...gathered.warnings,
      ...matrices.warnings,
      ...(spectrum?.warnings ?? []),
      ...highwayLeftOut(diagnostics),
      ...disagreements('h', hidden),
      ...(cellVerdict ? disagreements('c', cellVerdict) : []),
      ...undefinedExponents(gathered),
      ...chaoticTrajectory(gathered),
      ...(await notFiniteStates(gathered, pace)),
    ],
  };
}

/** What a cell does beyond its activations. */
function optionsOf(
  cell: CellDescription,
): Pick<Summary['layer'], 'outputActivation' | 'resetAfter' | 'clip' | 'peepholes' | 'inputForget'> {
  const isLstm = cell.kind === 'LSTM';
  return {
    outputActivation: isLstm ? cell.outputActivation.name : null,
    resetAfter: cell.kind === 'GRU' ? cell.resetAfter : null,
    clip: cell.clip,
    peepholes: isLstm ? cell.peepholes !== null : null,
    inputForget: isLstm ? cell.inputForget : null,
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
      runSteps: started.sourceSteps,
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
