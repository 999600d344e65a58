/**
 * Entries of export menus that write the numbers of a run: main asks where to, and runs the same request again. What is
 * being written is on show with its own Cancel.
 */
import { defineStore } from 'pinia';
import { ref } from 'vue';
import type { RequestInput } from '../../shared/contract';
import type { RunRequest } from '../../shared/run';
import { request } from '../api';
import type { MenuItem } from '../components/MenuButton.vue';
import { useProblem } from './problem';
import { useRuns } from './runs';
import { fileNameOf } from './session';
import { useShell } from './shell';

const FORMATS: readonly {
  readonly format: RequestInput<'exportRun'>['format'];
  readonly label: string;
  readonly hint: string;
}[] = [
  { format: 'npz', label: 'Arrays', hint: 'NPZ' },
  { format: 'csv', label: 'Tables', hint: 'CSV' },
  { format: 'json', label: 'Summary', hint: 'JSON' },
  { format: 'report', label: 'Report', hint: 'HTML' },
];

/** The export that is under way. */
export const useExports = defineStore('exports', () => {
  /** Name of the file being written; null when none is. */
  const fileName = ref<string | null>(null);
  const isCancelling = ref(false);
  /** How much of it is written, 0 to 1; null before anything is. */
  const fraction = ref<number | null>(null);

  /** Takes what main says. */
  function accept(next: string | null): void {
    if (next === null && isCancelling.value) useShell().say('Export cancelled; nothing was written');
    fileName.value = next;
    fraction.value = null;
    isCancelling.value = false;
  }

  /** Takes how far the writing is. */
  function acceptProgress(next: number): void {
    if (fileName.value !== null) fraction.value = next;
  }

  /** Asks for the end of the writing. */
  async function cancel(): Promise<void> {
    if (fileName.value === null) return;
    isCancelling.value = true;
    const reply = await request('cancelExport', {});
    if (!reply.ok) useProblem().show(reply.error, 'export');
  }

  return { fileName, isCancelling, fraction, accept, acceptProgress, cancel };
});

async function exportRun(runRequest: RunRequest, format: RequestInput<'exportRun'>['format']): Promise<void> {
  const reply = await request('exportRun', { request: runRequest, format });
  if (!reply.ok) useProblem().show(reply.error, 'export');
  else if (reply.value) useShell().say(`Saved ${fileNameOf(reply.value.path)}`);
}

/** Writes the selected layer's last run; says so when there is none. */
export function exportSelectedRun(format: RequestInput<'exportRun'>['format']): void {
  const result = useRuns().selectedResult();
  if (result) void exportRun(result.request, format);
  else useShell().say('Nothing to export: this layer has not been run yet');
}

/** The entries for the selected layer's last run. */
export function runExportItems(): readonly MenuItem[] {
  const runs = useRuns();
  const isWriting = useExports().fileName !== null;
  const result = runs.selectedResult();
  return FORMATS.map(({ format, label, hint }, index) => ({
    label,
    hint,
    isFirstOfGroup: index === 0,
    isDisabled: result === null || runs.isRunning || isWriting,
    run: () => {
      if (result) void exportRun(result.request, format);
    },
  }));
}
