/** The one failure on show; a cancelled run is never one. */
import { defineStore } from 'pinia';
import { shallowRef } from 'vue';
import { toErrorRecord, type ErrorRecord } from '../../core/errors';

/** What was being done when it failed. */
export type ProblemSource = 'open' | 'run' | 'estimate' | 'export' | 'engine' | 'view';

/** The failure on show. */
export const useProblem = defineStore('problem', () => {
  const current = shallowRef<{ readonly error: ErrorRecord; readonly source: ProblemSource } | null>(null);

  /** Shows a failure in the place of the one before. */
  function show(error: ErrorRecord, source: ProblemSource): void {
    current.value = { error, source };
  }

  /** Shows something thrown where nothing should be: a bug, as such. */
  function showThrown(thrown: unknown): void {
    show(toErrorRecord(thrown), 'view');
  }

  /** Takes the failure away, or only one of a given source. */
  function dismiss(source?: ProblemSource): void {
    if (!source || current.value?.source === source) current.value = null;
  }

  return { current, show, showThrown, dismiss };
});
