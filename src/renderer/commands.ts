/** What the window does when one of its commands (shared/commands.ts) is chosen in the menu or by its key. */
import { exportSelectedRun, useExports } from './stores/run-exports';
import { useRunForm } from './stores/run-form';
import { useRuns } from './stores/runs';
import { useSelection, VIEWS, type ViewName } from './stores/selection';
import { useSession } from './stores/session';
import { useShell } from './stores/shell';

const EXPORT_FORMATS = ['npz', 'csv', 'json', 'report'] as const;

/** Closes what lies on top: a dialog, the explanation, else cancels the run or the export. */
function closeOrCancel(): void {
  const shell = useShell();
  if (useSession().choice) void useSession().chooseModel(null);
  else if (shell.dialog) shell.dialog = null;
  else if (shell.topic) shell.topic = null;
  else if (useRuns().isRunning) void useRuns().cancel();
  else void useExports().cancel();
}

function startRun(): void {
  const { runRequest } = useRunForm();
  if (runRequest) void useRuns().start(runRequest);
}

const actions: Readonly<Record<string, () => void>> = {
  run: startRun,
  cancel: closeOrCancel,
  // Main has closed it already.
  'close-model': () => useSession().forget(),
  keys: () => (useShell().dialog = 'keys'),
  about: () => (useShell().dialog = 'about'),
  ...Object.fromEntries(EXPORT_FORMATS.map((format) => [`export-${format}`, () => exportSelectedRun(format)])),
  ...Object.fromEntries(VIEWS.map((view: ViewName) => [`view-${view}`, () => (useSelection().view = view)])),
};

/**
 * Nothing; does what a command says, and ignores those that are not the window's.
 *
 * @param id - Id of the command.
 */
export function runCommand(id: string): void {
  actions[id]?.();
}

/** Keys that the window handles itself, because they mean other things in a field: Escape and the question mark. */
export function runKey(event: KeyboardEvent): void {
  const isTyping = event.target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === 'Escape') runCommand('cancel');
  else if (event.key === '?' && !isTyping) runCommand('keys');
}
