/**
 * What a run has said so far, put together from its events; what a report is made from.
 */
import type { Direction, StateName } from '../core/jacobian';
import type { Summary } from '../core/summary';
import type { BlockEvent } from './pair-block';
import type { RunEvent, StartedEvent, StatesEvent, StepNorms } from './run';

/** Frobenius log norms of one state and direction. */
export interface NormSeries {
  /** Natural logs, `[B, T]` over T of x, at its own time index; NaN where not computed. */
  readonly total: Float64Array;
  /** `[T]`, 1 where the step has arrived. */
  readonly computed: Uint8Array;
}

/** A run as far as it went. */
export interface RunRecord {
  started: StartedEvent | null;
  states: StatesEvent | null;
  summary: Summary | null;
  isCancelled: boolean;
  /** The block of one pair of steps, where it was asked for. */
  block: BlockEvent | null;
  /** By `seriesKey`. */
  readonly series: Map<string, NormSeries>;
}

/** A record of nothing yet. */
export function emptyRecord(): RunRecord {
  return { started: null, states: null, summary: null, isCancelled: false, block: null, series: new Map() };
}

/**
 * The key of a series in `RunRecord.series`.
 *
 * @param mode - Which Jacobian.
 * @param state - h or c.
 * @param direction - Which recurrence.
 */
export function seriesKey(mode: 'diagonal' | 'final', state: StateName, direction: Direction): string {
  return `${mode} ${state} ${direction}`;
}

/**
 * Adds an event to a record.
 *
 * @param record - Changed in place.
 * @param event - The next event of the run.
 */
export function addToRecord(record: RunRecord, event: RunEvent): void {
  if (event.kind === 'started') record.started = event;
  if (event.kind === 'states') record.states = event;
  if (event.kind === 'done') record.summary = event.summary;
  if (event.kind === 'cancelled') record.isCancelled = true;
  if (event.kind === 'block') record.block = event;
  if (event.kind !== 'diagonal' && event.kind !== 'final') return;
  const { kind, direction, start, count } = event;
  const { sourceSteps: steps, part } = record.started!;
  const batch = part?.sequences.count ?? record.started!.batch;
  const add = (state: StateName, norms: StepNorms): void => {
    const key = seriesKey(kind, state, direction);
    const series = record.series.get(key) ?? {
      total: new Float64Array(batch * steps).fill(NaN),
      computed: new Uint8Array(steps),
    };
    record.series.set(key, series);
    series.computed.fill(1, start, start + count);
    for (let b = 0; b < batch; b++) {
      series.total.set(norms.total.subarray(b * count, (b + 1) * count), b * steps + start);
    }
  };
  add('h', event.h);
  if (event.c) add('c', event.c);
}
