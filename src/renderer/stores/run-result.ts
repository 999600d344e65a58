/**
 * What a run has told so far, in the form that the views draw: plain arrays filled chunk by chunk, no reactivity.
 *
 * Norms of whole blocks are kept in float64 for all sequences. Row and column norms are kept in float32, for as many
 * sequences as fit the budget, because T x (H + D) values a sequence can be more than a window should hold.
 */
import type { LogNorms } from '../../charts/norm-curve';
import type { ErrorRecord } from '../../core/errors';
import type { Direction } from '../../core/jacobian';
import type { Summary } from '../../core/summary';
import { addRectangle, finishPairMaps, makePairMaps, pairBytes, type PairMaps } from './pair-maps';
import type {
  DirectionPart,
  ProgressEvent,
  RunEvent,
  RunRequest,
  StartedEvent,
  StatesEvent,
  StepNorms,
} from '../../shared/run';

/** Most row and column norms that one state of one mode may keep, entries (4 bytes each). */
const DETAIL_BUDGET_ENTRIES = 32e6;

/** Where a run stands. */
export type RunStatus = 'running' | 'done' | 'cancelled' | 'failed';

/** Log norms of one state in one mode and direction. */
export interface NormSet extends LogNorms {
  /** Natural logs of row norms, `[detailSequences, T, H]`. */
  readonly units: Float32Array;
  /** Natural logs of column norms, `[detailSequences, T, D]`. */
  readonly features: Float32Array;
  readonly detailSequences: number;
}

/** Log norms of both states in one mode and direction; c is null without a cell state. */
export interface NormPair {
  readonly h: NormSet;
  readonly c: NormSet | null;
}

/** Norms by direction. */
export type NormsByDirection = Partial<Record<Direction, NormPair>>;

/** All that is known of a run. */
export interface RunResult {
  readonly runId: number;
  readonly request: RunRequest;
  readonly started: StartedEvent;
  status: RunStatus;
  fraction: number;
  stage: ProgressEvent['stage'] | null;
  secondsElapsed: number;
  readonly diagonal: NormsByDirection;
  readonly final: NormsByDirection;
  readonly pairs: PairMaps;
  states: StatesEvent | null;
  summary: Summary | null;
  error: ErrorRecord | null;
  /** Sequence number that the next message must have. */
  expectedSequence: number;
}

function makeNormSet({ batch, sourceSteps: steps, inputDim }: StartedEvent, units: number): NormSet {
  const perSequence = steps * (units + inputDim);
  const detailSequences = Math.max(1, Math.min(batch, Math.floor(DETAIL_BUDGET_ENTRIES / perSequence)));
  return {
    batch,
    steps,
    total: new Float64Array(batch * steps).fill(Number.NaN),
    computed: new Uint8Array(steps),
    units: new Float32Array(detailSequences * steps * units),
    features: new Float32Array(detailSequences * steps * inputDim),
    detailSequences,
  };
}

const makePair = (started: StartedEvent, { units, hiddenSize, hasCell }: DirectionPart): NormPair => ({
  h: makeNormSet(started, hiddenSize),
  c: hasCell ? makeNormSet(started, units) : null,
});

/**
 * An empty result of a run that has begun.
 *
 * @param runId - Of the run.
 * @param request - What was asked.
 * @param started - The run's first event.
 */
export function makeRunResult(runId: number, request: RunRequest, started: StartedEvent): RunResult {
  const norms = (mode: string): NormsByDirection =>
    started.modes.includes(mode)
      ? Object.fromEntries(started.parts.map((part) => [part.direction, makePair(started, part)]))
      : {};
  return {
    runId,
    request,
    started,
    status: 'running',
    fraction: 0,
    stage: null,
    secondsElapsed: 0,
    diagonal: norms('diagonal'),
    final: norms('final'),
    pairs: makePairMaps(request, started),
    states: null,
    summary: null,
    error: null,
    expectedSequence: 1,
  };
}

/**
 * Nothing; puts an event into the result.
 *
 * @param result - Changed in place.
 * @param event - Any event but `started`.
 */
export function applyEvent(result: RunResult, event: RunEvent): void {
  switch (event.kind) {
    case 'started':
      return;
    case 'states':
      result.states = event;
      return;
    case 'diagonal':
    case 'final': {
      const pair = result[event.kind][event.direction];
      if (!pair) return;
      fill(pair.h, event.h, event.start, event.count);
      if (pair.c && event.c) fill(pair.c, event.c, event.start, event.count);
      return;
    }
    case 'pairs':
      addRectangle(result.pairs, event);
      return;
    // The window asks for none of them with a run; they are of the command alone.
    case 'spectrum':
    case 'block':
    case 'loss-gradient':
    case 'eigenvalues':
      return;
    case 'progress':
      result.fraction = event.fraction;
      result.stage = event.stage;
      result.secondsElapsed = event.secondsElapsed;
      return;
    case 'done':
      result.status = 'done';
      result.fraction = 1;
      result.summary = event.summary;
      finishPairMaps(result.pairs);
      return;
    case 'cancelled':
      result.status = 'cancelled';
      result.fraction = event.fraction;
      return;
    case 'failed':
      result.status = 'failed';
      result.error = event.error;
  }
}

/** Copies a chunk `[B, count, ...]` into arrays `[B, T, ...]`. */
function fill(set: NormSet, chunk: StepNorms, start: number, count: number): void {
  copyBlock(set.total, chunk.total, set.batch, set.steps, start, count);
  copyBlock(set.units, chunk.units, set.detailSequences, set.steps, start, count);
  copyBlock(set.features, chunk.features, set.detailSequences, set.steps, start, count);
  set.computed.fill(1, start, start + count);
}

function copyBlock(
  target: Float32Array | Float64Array,
  chunk: Float64Array,
  sequences: number,
  steps: number,
  start: number,
  count: number,
): void {
  const width = target.length / (sequences * steps);
  for (let sequence = 0; sequence < sequences; sequence += 1) {
    const from = sequence * count * width;
    target.set(chunk.subarray(from, from + count * width), (sequence * steps + start) * width);
  }
}

/**
 * Bytes that a result holds.
 *
 * @param result - Any result.
 */
export function bytesOf(result: RunResult): number {
  let bytes = pairBytes(result.pairs);
  for (const norms of [result.diagonal, result.final]) {
    for (const pair of Object.values(norms)) {
      for (const set of [pair.h, pair.c]) {
        if (set) bytes += set.total.byteLength + set.units.byteLength + set.features.byteLength;
      }
    }
  }
  const { states } = result;
  if (states) {
    for (const array of [states.x, states.h, states.c, ...Object.values(states.gates)]) bytes += array?.byteLength ?? 0;
  }
  return bytes;
}
