/**
 * Runs of the open model: at most one is under way; the last result of each layer is kept.
 *
 * Results are plain arrays (run-result.ts); `revision` grows once for each batch of messages, and whatever draws depends
 * on it. Messages of other runs are dropped; those that come before the run's id is known wait for it.
 */
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type { Summary } from '../../core/summary';
import type { RunMessage, RunRequest } from '../../shared/run';
import { request } from '../api';
import { useProblem } from './problem';
import { applyEvent, bytesOf, makeRunResult, type RunResult } from './run-result';
import { useSelection } from './selection';

/** Arrays of older results are let go beyond this many bytes; their summaries stay. */
const KEPT_BYTES = 1e9;

interface CurrentRun {
  readonly request: RunRequest;
  /** null until the reply to `startRun` is there. */
  runId: number | null;
  /** Messages that came before the reply. */
  readonly early: RunMessage[];
}

/** Runs and their results. */
export const useRuns = defineStore('runs', () => {
  const results = shallowRef<ReadonlyMap<string, RunResult>>(new Map());
  const summaries = shallowRef<ReadonlyMap<string, Summary>>(new Map());
  const current = shallowRef<CurrentRun | null>(null);
  const isCancelling = ref(false);
  /** Grows whenever a result has changed. */
  const revision = ref(0);

  const isRunning = computed(() => current.value !== null);
  const runningLayer = computed(() => current.value?.request.layer ?? null);

  /** The result of the selected layer; whoever calls this in a reactive context is called again when it grows. */
  function selectedResult(): RunResult | null {
    void revision.value;
    return results.value.get(useSelection().layer ?? '') ?? null;
  }

  /** Starts a run; a failure to start leaves what was there. */
  async function start(runRequest: RunRequest): Promise<void> {
    if (current.value) return;
    useProblem().dismiss();
    const run: CurrentRun = { request: runRequest, runId: null, early: [] };
    current.value = run;
    isCancelling.value = false;
    const reply = await request('startRun', { request: runRequest });
    if (current.value !== run) return;
    if (!reply.ok) {
      end();
      return useProblem().show(reply.error, 'run');
    }
    run.runId = reply.value.runId;
    receive(run.early.splice(0));
    if (current.value === run && isCancelling.value) await cancel();
  }

  /** Asks the engine to stop; the run ends with a `cancelled` event. One without a number yet is stopped once it has it. */
  async function cancel(): Promise<void> {
    const run = current.value;
    if (!run) return;
    isCancelling.value = true;
    const { runId } = run;
    if (runId === null) return;
    const reply = await request('cancelRun', { runId });
    if (!reply.ok) useProblem().show(reply.error, 'run');
  }

  /** Takes the messages of one frame. */
  function receive(messages: readonly RunMessage[]): void {
    const run = current.value;
    if (!run) return;
    for (const message of messages) {
      if (run.runId === null) run.early.push(message);
      else if (message.runId === run.runId && current.value === run) take(run, message);
    }
    revision.value += 1;
  }

  function take(run: CurrentRun, { runId, sequence, event }: RunMessage): void {
    const { layer } = run.request;
    if (event.kind === 'started') {
      const next = new Map(results.value);
      next.delete(layer);
      const started = makeRunResult(runId, run.request, event);
      // Progress may have come before it.
      started.expectedSequence = sequence + 1;
      next.set(layer, started);
      results.value = next;
      forgetOld();
      return;
    }
    const result = results.value.get(layer);
    if (result?.runId === runId) {
      if (sequence >= 0 && sequence !== result.expectedSequence) {
        throw new Error(`run ${runId}: message ${sequence} came where ${result.expectedSequence} was due`);
      }
      result.expectedSequence = sequence + 1;
      applyEvent(result, event);
    }
    if (event.kind === 'done') summaries.value = new Map(summaries.value).set(layer, event.summary);
    if (event.kind === 'failed') useProblem().show(event.error, 'run');
    if (event.kind === 'done' || event.kind === 'cancelled' || event.kind === 'failed') end();
  }

  function end(): void {
    current.value = null;
    isCancelling.value = false;
  }

  /** Lets the oldest results go, never the newest. */
  function forgetOld(): void {
    const kept = new Map(results.value);
    let bytes = [...kept.values()].reduce((sum, result) => sum + bytesOf(result), 0);
    for (const [layer, result] of kept) {
      if (bytes <= KEPT_BYTES || kept.size === 1) break;
      kept.delete(layer);
      bytes -= bytesOf(result);
    }
    results.value = kept;
  }

  /** Forgets everything, for another model. */
  function clear(): void {
    results.value = new Map();
    summaries.value = new Map();
    end();
    revision.value += 1;
  }

  return {
    results,
    summaries,
    current,
    isCancelling,
    isRunning,
    runningLayer,
    revision,
    selectedResult,
    start,
    cancel,
    receive,
    clear,
  };
});
