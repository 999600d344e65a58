/** Entries of export menus that write the numbers of a run: main asks where to, and runs the same request again. */
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
  const result = runs.selectedResult();
  return FORMATS.map(({ format, label, hint }, index) => ({
    label,
    hint,
    isFirstOfGroup: index === 0,
    isDisabled: result === null || runs.isRunning,
    run: () => {
      if (result) void exportRun(result.request, format);
    },
  }));
}
