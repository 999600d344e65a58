/** D24 of a run: the gradient of a loss of the model's output, split by the lag at which parameters of the layer acted. */
import { lossAt } from '../core/diagnostics/loss';
import { LossGradient, LOSS_PARAMETERS, type LossSequence } from '../core/diagnostics/loss-gradient';
import { meanReceptiveField } from '../core/diagnostics/receptive-field';
import { TempogradError } from '../core/errors';
import { frobeniusNorm } from '../core/linalg/scaling';
import { cellsOf, hiddenSize, type RecurrentModel } from '../core/model';
import { pullHead, runHead } from '../core/reference/head';
import { isValidStep, stateBefore, timeIndex } from '../core/reference/run-cell';
import type { LossGradientSpread, LossGradientSummary } from '../core/summary';
import type { LayerInput, LayerRun } from '../engine/engine';
import type { Pace } from '../engine/pace';
import { trajectoryOf } from '../engine/trajectories';
import type { LossGradientEvent, RunRequest } from '../shared/run';
import { findHead, type FoundHead } from './find-head';
import type { FoundLayer } from './find-layer';
import { finiteOrNull } from './finite-or-null';
import { chooseLoss, endOfHead, targetsOf, type ChosenLoss } from './loss-options';
import type { RunData } from './size-run';

type Cell = ReturnType<typeof cellsOf>[number];

/** What a run needs to know of its loss before it starts. */
export interface LossPlan extends ChosenLoss {
  readonly head: FoundHead;
  /** `[B, O]`, those of all sequences. */
  readonly targets: Float64Array;
}

/** What is found. */
export interface LossFindings {
  /** One per direction. */
  readonly events: readonly LossGradientEvent[];
  readonly summary: LossGradientSummary;
}

/**
 * The loss of a run, its head and its targets; null without a target.
 *
 * @param model - The model.
 * @param found - The layer.
 * @param request - The request.
 * @param data - Files already read.
 * @param size - B and T of the layer.
 * @throws TempogradError `cell/unsupported` naming what stands between the layer and the loss; `input/shape-mismatch` and
 * `input/not-finite` of the target; `usage/bad-option` for a loss of the file that is not known.
 */
export function planLoss(
  model: RecurrentModel,
  found: FoundLayer,
  request: RunRequest,
  data: RunData,
  size: { readonly batch: number; readonly steps: number },
): LossPlan | null {
  if (!data.target) return null;
  const { loss, assumptions } = chooseLoss(model, request);
  const head = findHead(model, found, size.steps);
  const end = endOfHead(head.nodes, loss);
  const targets = targetsOf(data.target, size.batch, head.width, loss);
  return {
    loss,
    head: { ...head, nodes: end.nodes },
    targets,
    assumptions: [...assumptions, ...head.assumptions, ...end.assumptions],
  };
}

/**
 * Every term of the gradient, and what the summary says of them.
 *
 * The head is run, and the row is pulled back, in float64 from the states that the engine computed.
 *
 * @param plan - What `planLoss` gave.
 * @param found - The layer.
 * @param run - Its states.
 * @param input - What it was fed.
 * @param pace - Lets messages in.
 * @throws TempogradError `cell/unsupported` where a masked step is read that the layer gives as zeros; `signal.reason` of
 * the pace when it is aborted.
 */
export async function lossGradientOfRun(
  plan: LossPlan,
  found: FoundLayer,
  run: LayerRun,
  input: LayerInput,
  pace: Pace,
): Promise<LossFindings> {
  const { loss, head, targets } = plan;
  const cells = cellsOf(found.layer.operation);
  const gradients = new Map(cells.map(({ direction, cell }) => [direction, new LossGradient(cell)]));
  let value = 0;
  const sequenceOf = (b: number): readonly (readonly [Cell, LossSequence])[] => {
    const reading = readSequence(plan, found, run, input, b);
    const { leaves } = reading;
    const values = runHead(head.nodes, leaves);
    const target = targets.subarray(b * head.width, (b + 1) * head.width);
    const at = lossAt(loss, values.at(-1)!, target);
    value += at.value / run.batch;
    const rows = pullHead(
      head.nodes,
      values,
      at.gradient.map((entry) => entry / run.batch),
    );
    return reading.sequences(rows);
  };
  for (let b = 0; b < run.batch; b++) {
    for (const [{ direction }, sequence] of sequenceOf(b)) await walk(gradients.get(direction)!.add(sequence), pace);
  }
  const whole = value;
  const count = run.steps * LOSS_PARAMETERS.length;
  const events = cells.map(({ direction }): LossGradientEvent => ({
    kind: 'loss-gradient',
    direction,
    logNorms: new Float64Array(run.batch * count).fill(-Infinity),
    shares: new Float64Array(run.batch * count),
  }));
  for (let b = 0; b < run.batch; b++) {
    for (const [{ direction }, sequence] of sequenceOf(b)) {
      const terms = await walk(gradients.get(direction)!.terms(sequence), pace);
      const event = events.find((one) => one.direction === direction)!;
      event.logNorms.set(terms.logNorms, b * count);
      event.shares.set(terms.shares, b * count);
    }
  }
  const parameters: Record<string, LossGradientSpread> = {};
  for (const event of events) {
    const totals = gradients.get(event.direction)!.whole();
    LOSS_PARAMETERS.forEach((name, at) => {
      const total = totals[name];
      if (total === null) return;
      const key = events.length === 2 ? `${name}_${event.direction}` : name;
      parameters[key] = spreadOf(event, at, run, frobeniusNorm(total));
    });
  }
  return { events, summary: { loss, value: finiteOrNull(whole), head: head.names, parameters } };
}

/** The states of a sequence that the head reads, and how rows on them become rows on the states of each direction. */
function readSequence(
  { head }: LossPlan,
  { layer }: FoundLayer,
  run: LayerRun,
  input: LayerInput,
  b: number,
): {
  readonly leaves: readonly Float64Array[];
  sequences(rows: readonly Float64Array[]): readonly (readonly [Cell, LossSequence])[];
} {
  const used = cellsOf(layer.operation).flatMap((entry) => {
    const own = head.leaves.filter(({ direction }) => direction === entry.direction);
    if (own.length === 0) return [];
    const trajectory = trajectoryOf(run, input, entry.cell, entry.direction, b);
    const { computedStep } = own[0]!;
    const isZero =
      layer.operation.zeroOutputForMask &&
      !isValidStep(trajectory, timeIndex(entry.direction, trajectory.steps, computedStep));
    if (isZero) {
      const message = `the loss of layer ${layer.name} cannot be computed: its output is zero at the masked step that is read`;
      throw new TempogradError('cell/unsupported', message, { details: { layer: layer.name, sequence: b } });
    }
    const sizes = { units: entry.cell.units, hiddenSize: hiddenSize(entry.cell) };
    return [{ entry, trajectory, computedStep, sizes, state: stateBefore(trajectory, sizes, computedStep + 1) }];
  });
  const leaves = head.leaves.map(({ direction, state }) => {
    const found = used.find(({ entry }) => entry.direction === direction)!;
    return state === 'h' ? found.state.h : found.state.c!;
  });
  return {
    leaves,
    sequences: (rows) =>
      used.map(({ entry, trajectory, computedStep, sizes }) => {
        const row = new Float64Array(sizes.hiddenSize + (entry.cell.kind === 'LSTM' ? sizes.units : 0));
        head.leaves.forEach(({ direction, state }, at) => {
          if (direction === entry.direction) row.set(rows[at]!, state === 'h' ? 0 : sizes.hiddenSize);
        });
        return [entry, { trajectory, row, computedStep }];
      }),
  };
}

async function walk<T>(steps: Generator<undefined, T, void>, pace: Pace): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await pace.breathe();
  }
}

/** What the terms of one parameter say over all sequences. */
function spreadOf(
  { logNorms, shares }: LossGradientEvent,
  parameter: number,
  { batch, steps }: LayerRun,
  norm: number,
): LossGradientSpread {
  const count = LOSS_PARAMETERS.length;
  const series = Array.from({ length: batch }, (_, b) =>
    Float64Array.from({ length: steps }, (_unused, lag) => logNorms[(b * steps + lag) * count + parameter]!),
  );
  const field = meanReceptiveField(series);
  const byLags: Record<string, number | null> = {};
  for (let first = 0, end = 1; first < steps; first = end, end *= 10) {
    let sum = 0;
    for (let b = 0; b < batch; b++) {
      for (let lag = first; lag < Math.min(end, steps); lag++) sum += shares[(b * steps + lag) * count + parameter]!;
    }
    byLags[first === 0 ? '0' : `${first}-${end - 1}`] = norm > 0 ? finiteOrNull(sum) : null;
  }
  return {
    norm: finiteOrNull(norm),
    meanLag: field === null ? null : finiteOrNull(field.mean),
    lag95: field === null ? null : field.lag95,
    shares: byLags,
  };
}
