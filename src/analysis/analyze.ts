/**
 * THE MAIN PATH: model -> layer input -> states -> step Jacobians -> propagation -> diagnostics -> verdict.
 *
 * One async generator gives the events of a run in order, the same for the command and the window. It decides what is
 * computed and in which order; how is the engine's affair, what is shown is the caller's. Cancelling ends it with a
 * `cancelled` event; failures are thrown. It is long so that the order of a whole run stands in one place.
 */
import { TempogradError } from '../core/errors';
import type { Direction } from '../core/jacobian';
import { cellsOf, type RecurrentModel } from '../core/model';
import type { EigenvaluesSummary, Summary } from '../core/summary';
import { estimateRun, fitRun, withMoreWork, type RunCost } from '../engine/estimate';
import { emptyPairsReport, type LayerRun, type SpectrumResult } from '../engine/engine';
import { chooseEngine, openEngine, type EngineChoice } from '../engine/load-engine';
import { Pace } from '../engine/pace';
import { DEFAULT_EXPONENTS } from '../engine/propagate/spectrum-plan';
import type { AnalysisStep } from '../shared/analysis-step';
import type { ProgressEvent, RunEstimate, RunPart, RunRequest } from '../shared/run';
import { eigenvalueBytes, eigenvaluesOfRun } from './eigenvalues-of-run';
import { findLayer, type FoundLayer } from './find-layer';
import { checkFullPairs, fullPairsBytes } from './full-pairs';
import { blocksOf, KeptRun } from './kept-run';
import { LagCurves } from './lag-curves';
import { lossGradientOfRun, planLoss, type LossPlan } from './loss-gradient-of-run';
import { randomInputName } from './make-inputs';
import { sizeRun, type RunData, type RunSize } from './size-run';
import { joinDirections } from './join-directions';
import { spectrumEvent, startedEvent } from './run-events';
import { runNotes } from './run-notes';
import { chunkOf, cutRun, forMerging, maskOf, pairsPartOf, rowsOf, statesOf } from './run-part';
import { checkStateBlocks, pairsSources, withStateBlocks } from './state-blocks';
import { stackCost } from './stack-cost';
import { byModelInput, layerInput } from './way-below';
import { checkMemory } from './check-memory';
import { stepNorms } from './step-norms';
import { summarize } from './summarize';

/** A timer beyond this fires at once; it is 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What is analysed. */
export interface AnalysisOrder {
  readonly model: RecurrentModel;
  /** The file, as the summary names it. */
  readonly source: Summary['model'];
  /** Version of this program. */
  readonly version: string;
  readonly request: RunRequest;
  readonly data: RunData;
}

/** Takes a run that went through. */
export type KeepRun = (run: KeptRun) => void;

/** What is known of a run before it starts. */
export interface RunPlan {
  readonly found: FoundLayer;
  readonly size: RunSize;
  readonly engine: EngineChoice;
  /** What the choice of the engine rests on. */
  readonly flop: number;
  /** Without the layers below. */
  readonly cost: RunCost;
  /** The engine gives pieces of at most this size, smaller where memory is short. */
  readonly chunkBytes: number;
  /** Bytes of whole pairs; 0 where they are not asked for. */
  readonly fullBytes: number;
  readonly estimate: RunEstimate;
  /** null without a target. */
  readonly loss: LossPlan | null;
}

/**
 * What a run would take, without running anything.
 *
 * @param order - The order.
 * @throws TempogradError as `analyze` does for a layer, an input or an engine that does not fit.
 */
export function planRun(order: AnalysisOrder): RunPlan {
  const { model, request, data } = order;
  const found = findLayer(model, request.layer);
  const size = sizeRun(model, found, request, data);
  const cells = cellsOf(found.layer.operation).map(({ cell }) => cell);
  const { flop } = estimateRun(cells, size.batch, size.steps, request.modes, 'reference', undefined, request.exponents);
  const work = stackCost(model, found, request, data, size, 'reference')?.flop ?? 0;
  const engine = chooseEngine(request.engine, flop + work);
  const through = stackCost(model, found, request, data, size, engine.name);
  const limit = request.maxMemoryBytes;
  const { cost, chunkBytes } = fitRun(
    cells,
    size.batch,
    size.steps,
    request.modes,
    engine.name,
    limit,
    request.exponents,
  );
  const fullBytes = fullPairsBytes(request, cells, size);
  const left = limit === null ? Infinity : limit - cost.peakBytes;
  const below = through ? withMoreWork(cost, engine.name, through.flop, through.bytes(chunkBytes, left)) : cost;
  const whole = withStateBlocks(request, cells, size, engine.name, below);
  const spectrumBytes = request.modes.includes('spectrum') ? eigenvalueBytes(cells, size.steps) : 0;
  const resultBytes = whole.resultBytes + fullBytes + spectrumBytes;
  const estimate = { ...whole, resultBytes, engine, batch: size.batch, steps: size.steps };
  const loss = planLoss(model, found, request, data, size);
  return { found, size, engine, flop: flop + work, cost, chunkBytes, fullBytes, estimate, loss };
}

/**
 * The events of one run; the last one is `done` or `cancelled`.
 *
 * @param order - What to analyse.
 * @param signal - Cancels; answered between chunks of work.
 * @param keep - Told before the end of a run by the layer's own input, whose states it may keep; it must dispose them.
 * @throws TempogradError of the reader, input, cell, engine families; `engine/time-limit` with `maxSeconds`;
 * `engine/out-of-memory` when not even the smallest pieces fit into `maxMemoryBytes`.
 */
export async function* analyze(
  order: AnalysisOrder,
  signal: AbortSignal,
  keep?: KeepRun,
): AsyncGenerator<AnalysisStep, void, void> {
  const run = new Run(order, signal, keep);
  try {
    yield* run.steps();
  } catch (error) {
    if (!signal.aborted) throw error;
    yield { event: { kind: 'cancelled', fraction: run.fraction }, chunk: null };
  } finally {
    run.release();
  }
}

/** One run: its plan, its clock, and what it has gathered for the summary. */
class Run {
  fraction = 0;
  private readonly bases = emptyPairsReport();
  private readonly startedAt = performance.now();
  private readonly clock = new AbortController();
  private readonly signal: AbortSignal;
  private readonly timer: NodeJS.Timeout | undefined;
  private layerRun: LayerRun | undefined;
  /** null for the whole run. */
  private part: RunPart | null = null;

  constructor(
    private readonly order: AnalysisOrder,
    signal: AbortSignal,
    private readonly keep: KeepRun | undefined,
  ) {
    this.signal = AbortSignal.any([signal, this.clock.signal]);
    const limit = order.request.maxSeconds;
    if (limit === null) return;
    const late = new TempogradError('engine/time-limit', `the run did not end within ${limit} s`);
    this.timer = setTimeout(() => this.clock.abort(late), Math.min(limit * 1000, MAX_TIMER_MS));
  }

  /** Lets the caller keep the run; what it keeps is its own to free. */
  private handOver({ wrt, maxMemoryBytes }: RunRequest, layerRun: LayerRun): void {
    if (!this.keep || wrt === 'model-input') return;
    this.layerRun = undefined;
    this.keep(new KeptRun(layerRun, maxMemoryBytes));
  }

  release(): void {
    clearTimeout(this.timer);
    this.layerRun?.dispose();
  }

  /** The whole of it, in order. */
  async *steps(): AsyncGenerator<AnalysisStep, void, void> {
    const { request } = this.order;
    const plan = planRun(this.order);
    checkMemory(plan.estimate.peakBytes, request);
    checkFullPairs(plan.fullBytes, request, plan.size);
    checkStateBlocks(request, plan.found.layer);
    const opened = await openEngine(request.engine, plan.flop);
    const { engine } = opened;
    yield this.progress('input', 0);
    const { input, below } = await layerInput(engine, this.order, plan, this.signal);
    const opening = await engine.openLayer(plan.found.layer, input, this.signal);
    this.layerRun = opening;
    const layerRun = below ? byModelInput(opening, input, below, request, plan) : opening;
    this.layerRun = layerRun;
    const x = below?.sequence ?? input.x;
    const part = cutRun(layerRun, request, x.shape[1]!, plan.chunkBytes);
    this.part = part;
    const whole = startedEvent(plan.found.layer, request, plan.estimate, opened.info, layerRun, x.shape[1]!);
    const started = part ? { ...whole, part } : whole;
    yield { event: started, chunk: null };
    const states = joinDirections(layerRun, x, input.mask);
    const own = part?.sequences ?? { first: 0, count: layerRun.batch };
    yield { event: statesOf(states, layerRun.batch, own), chunk: null };
    yield this.progress('states', STATES_SHARE);

    const isSameTime = started.sourceSteps === started.steps;
    const lags = new LagCurves(own.count, started.sourceSteps, isSameTime ? maskOf(input.mask, own) : null);
    for (const direction of started.directions) {
      if (own.count === 0) break;
      if (request.modes.includes('diagonal') && isSameTime)
        yield* this.propagate('diagonal', layerRun, direction, lags, plan.chunkBytes);
      if (request.modes.includes('final')) yield* this.propagate('final', layerRun, direction, lags, plan.chunkBytes);
    }
    if (request.modes.includes('pairs')) {
      for (const direction of started.directions) {
        yield* this.pairs(layerRun, direction, plan.chunkBytes);
        if (request.full) yield* this.pairBlocks(layerRun, direction, plan.chunkBytes);
      }
    }
    if (request.block) {
      const parts = await blocksOf(layerRun, request.block, this.signal);
      yield { event: { kind: 'block', ...request.block, parts }, chunk: null };
    }
    const spectra = new Map<Direction, SpectrumResult>();
    if (request.modes.includes('spectrum') && own.count > 0) {
      for (const direction of started.directions) {
        yield this.progress('spectrum', this.fraction);
        const result = await layerRun.spectrum(direction, {
          exponents: request.exponents ?? DEFAULT_EXPONENTS,
          warmUp: request.warmUp ?? 0,
          signal: this.signal,
          sequences: own,
        });
        spectra.set(direction, result);
        yield { event: spectrumEvent(direction, result), chunk: null };
      }
    }
    yield this.progress('diagnostics', 1 - STATES_SHARE);
    const pace = new Pace(this.signal);
    const eigenvalues = new Map<Direction, EigenvaluesSummary>();
    // They are those of the first sequence.
    if (request.modes.includes('spectrum') && own.first === 0) {
      for (const direction of started.directions) {
        const found = await eigenvaluesOfRun(plan.found.layer, layerRun, input, direction, pace);
        if (found) yield { event: found.event, chunk: null };
        if (found) eigenvalues.set(direction, found.summary);
      }
    }
    const losses = plan.loss && (await lossGradientOfRun(plan.loss, plan.found, layerRun, input, pace));
    for (const event of losses?.events ?? []) yield { event, chunk: null };
    const exponents = new Map<Direction, Float64Array>();
    for (const direction of started.directions) {
      const found = await layerRun.leadingExponent(direction, request.warmUp ?? 0, this.signal, own);
      exponents.set(direction, rowsOf(found, layerRun.batch, own));
    }
    const seconds = (performance.now() - this.startedAt) / 1000;
    const { assumptions: ofRun, warnings } = runNotes(this.order.model, plan.found.index, plan.size, started);
    const assumptions = [...ofRun, ...(plan.loss?.assumptions ?? [])];
    const { version, source } = this.order;
    const { layer } = plan.found;
    const randomInput = randomInputName(this.order.model, request, plan.size);
    const gathered = {
      version,
      source,
      request,
      randomInput,
      layer,
      started,
      states,
      run: layerRun,
      input,
      bases: this.bases,
      lags,
      exponents,
      spectra,
      eigenvalues,
      lossGradient: losses?.summary ?? null,
    };
    const summary = await summarize({ ...gathered, seconds, assumptions, warnings }, pace);
    const ofPart = part ? await forMerging(part, { ...gathered, seconds, assumptions, warnings }, pace) : {};
    this.fraction = 1;
    this.handOver(request, layerRun);
    yield { event: { kind: 'done', summary, ...ofPart }, chunk: null };
  }

  private async *propagate(
    mode: 'diagonal' | 'final',
    layerRun: LayerRun,
    direction: Direction,
    lags: LagCurves,
    chunkBytes: number,
  ): AsyncGenerator<AnalysisStep, void, void> {
    const basis = this.order.request.exact ? {} : { basis: this.bases };
    const { batch } = layerRun;
    const own = this.part?.sequences ?? { first: 0, count: batch };
    const options = { signal: this.signal, chunkBytes, sequences: own, ...basis };
    const chunks = mode === 'diagonal' ? layerRun.diagonal(direction, options) : layerRun.final(direction, options);
    for await (const all of chunks) {
      const chunk = chunkOf(all, batch, own);
      const event = stepNorms(chunk, own.count, layerRun.inputDim);
      if (event.kind === 'final') lags.add(event);
      yield { event, chunk };
      yield this.progress(mode, this.fraction + this.shareOf(mode, chunk.count / lags.steps, layerRun));
    }
  }

  /** Norms of all pairs of steps; they are the event itself. */
  private async *pairs(
    layerRun: LayerRun,
    direction: Direction,
    chunkBytes: number,
  ): AsyncGenerator<AnalysisStep, void, void> {
    const { exact: isExact, sketch } = this.order.request;
    const report = this.bases;
    const options = {
      sources: pairsSources(this.order.request, layerRun, direction),
      ...pairsPartOf(this.part, direction),
      isExact,
      ...(sketch !== undefined && { sketch }),
      chunkBytes,
      report,
      signal: this.signal,
    };
    const { batch, steps } = layerRun;
    const parts = this.part?.count ?? 1;
    const begin = this.fraction;
    const share = this.pairsShare(layerRun, direction, begin);
    let done = 0;
    for await (const chunk of layerRun.pairs(direction, options)) {
      const { mode, ...rectangle } = chunk;
      yield { event: { kind: mode, ...rectangle }, chunk: null };
      done += (parts * chunk.logNorms.length) / (batch * steps * (steps + 1));
      yield this.progress('pairs', begin + share * Math.min(1, done));
    }
  }

  /** Whole blocks of all pairs; nothing of them but their place is an event. */
  private async *pairBlocks(
    layerRun: LayerRun,
    direction: Direction,
    chunkBytes: number,
  ): AsyncGenerator<AnalysisStep, void, void> {
    const { batch, steps } = layerRun;
    const begin = this.fraction;
    const left = 1 - STATES_SHARE - begin;
    const share = direction === layerRun.states.at(-1)!.direction ? left : left / 3;
    let done = 0;
    for await (const blocks of layerRun.pairBlocks(direction, { signal: this.signal, chunkBytes })) {
      done += (2 * blocks.sourceCount) / (batch * steps * (steps + 1));
      yield { ...this.progress('pairs', begin + share * Math.min(1, done)), blocks };
    }
  }

  /** What the norms of one direction take of the progress line; whole blocks take as much. */
  private pairsShare({ states }: LayerRun, direction: Direction, begin: number): number {
    const passes = this.order.request.full ? 2 : 1;
    const left = passes * (states.length - states.findIndex((state) => state.direction === direction));
    return (1 - STATES_SHARE - begin) / left;
  }

  /** The part of the whole run that a part of one propagation is; `final` is by far the longer. */
  private shareOf(mode: 'diagonal' | 'final', part: number, layerRun: LayerRun): number {
    const { modes } = this.order.request;
    const weight = { diagonal: modes.includes('final') ? 0.1 : 1, final: modes.includes('diagonal') ? 0.9 : 1 }[mode];
    const room = modes.includes('pairs') ? OTHER_THAN_PAIRS_SHARE : 1;
    return (room * (1 - 2 * STATES_SHARE) * weight * part) / layerRun.states.length;
  }

  private progress(stage: ProgressEvent['stage'], fraction: number): AnalysisStep {
    this.signal.throwIfAborted();
    this.fraction = Math.max(this.fraction, Math.min(1, fraction));
    const secondsElapsed = (performance.now() - this.startedAt) / 1000;
    return { event: { kind: 'progress', fraction: this.fraction, stage, secondsElapsed }, chunk: null };
  }
}

/** Share of the progress line that states, and likewise diagnostics, take. */
const STATES_SHARE = 0.05;

/** What the other propagations take of it beside all pairs. */
const OTHER_THAN_PAIRS_SHARE = 0.2;
