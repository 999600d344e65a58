/**
 * From what a run has gathered to its summary: verdicts for h and for c, diagnostics, assumptions and warnings.
 */
import { sketchBand } from '../core/sketch';
import { cellsOf, hiddenSize, type CellDescription, type Warning } from '../core/model';
import type { Diagnostics, Summary } from '../core/summary';
import type { Pace } from '../engine/pace';
import type { RunPart, StartedEvent } from '../shared/run';
import type { Gathered } from './gathered';
import { inRows } from './in-rows';
import { judge, withoutVerdict, type Judgement } from './judge';
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
  const judged = started.part ? unjudged(started, started.part) : judgeRun(gathered);
  await pace.breathe();
  const matrices = await matrixDiagnostics(layer, pace);
  await pace.breathe();
  const hasSpectrum = request.modes.includes('spectrum') && !started.part;
  const spectrum = hasSpectrum ? await spectrumDiagnostics(gathered, pace) : null;
  const diagnostics = {
    ...matrices.diagnostics,
    ...weightReadings(layer, matrices.diagnostics.spectralNorm ?? {}),
    ...spectrum?.diagnostics,
    ...(await runDiagnostics(gathered, pace)),
    ...(gathered.lossGradient && { lossGradient: gathered.lossGradient }),
    ...judged.diagnostics,
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
      exact: gathered.bases.probeError === null && !isSketched(gathered),
      probeError: gathered.bases.probeError,
      redone: gathered.bases.redone,
      ...(request.modes.includes('pairs') && { pairs: gathered.bases.ways, ...sketchOf(gathered) }),
      ...(started.part && { part: started.part }),
    },
    hidden: judged.hidden,
    cell: judged.cell,
    diagnostics,
    ...(spectrum && { spectra: spectrum.spectra }),
    assumptions: gathered.assumptions,
    warnings: [
      ...gathered.warnings,
      ...matrices.warnings,
      ...(spectrum?.warnings ?? []),
      ...highwayLeftOut(diagnostics),
      ...judged.warnings,
      ...(await notFiniteStates(gathered, pace)),
    ],
  };
}

/** Whether any kind of source had more columns than the sketch has directions. */
function isSketched({ bases }: Gathered): boolean {
  return Object.values(bases.ways).includes('sketch');
}

function sketchOf(gathered: Gathered): Pick<Summary['run'], 'sketch'> {
  const { sketch } = gathered.request;
  if (sketch === undefined || !isSketched(gathered)) return {};
  return { sketch: { directions: sketch, band: sketchBand(sketch) } };
}

function judgeRun({ started, request, lags, exponents }: Gathered): Judgement {
  const { warmUp, span } = request;
  return judge({ started, warmUp, span, exponents, curves: (state, direction) => lags.curves(state, direction) });
}

/** A part of a run has nothing to judge by. */
function unjudged({ hasCell }: StartedEvent, { index, count }: RunPart): Judgement {
  const why = `This is part ${index} of ${count}: the verdict rests on all of them, and \`tempograd merge\` gives it.`;
  const verdict = withoutVerdict(why, null);
  return { hidden: verdict, cell: hasCell ? verdict : null, diagnostics: {}, warnings: [] };
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
