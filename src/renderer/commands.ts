/** What menus and keys ask of the window, by the name that main's command table gives it. */
import { useRunForm } from './stores/run-form';
import { useRuns } from './stores/runs';
import { useSelection, VIEWS, type ViewName } from './stores/selection';
import { useSession } from './stores/session';
import { useShell } from './stores/shell';

const isView = (name: string): name is ViewName => (VIEWS as readonly string[]).includes(name);

/** Closes what lies on top: the explanation, else the run. */
function escape(): void {
  const shell = useShell();
  if (shell.topic) shell.topic = null;
  else if (useRuns().isRunning) void useRuns().cancel();
}

/**
 * Nothing; does what a command says, and ignores commands that are main's own.
 *
 * @param name - `run`, `cancel`, `escape`, `open`, `open-folder`, `open-data`, `close-model`, `view-verdict` ...
 */
export function runCommand(name: string): void {
  const session = useSession();
  const commands: Readonly<Record<string, () => unknown>> = {
    run: () => {
      const { runRequest } = useRunForm();
      return runRequest && useRuns().start(runRequest);
    },
    cancel: () => useRuns().cancel(),
    escape,
    open: () => session.openDialog('model'),
    'open-folder': () => session.openDialog('folder'),
    'open-data': () => session.openDialog('data'),
    'close-model': () => session.close(),
  };
  const view = name.replace(/^view-/, '');
  if (name.startsWith('view-') && isView(view)) useSelection().view = view;
  else void commands[name]?.();
}
