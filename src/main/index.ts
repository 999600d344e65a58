/**
 * Start-up of the window, as a list of calls; the window itself last, the engine after its first paint.
 */
import '../host/block-network';
import { app } from 'electron';
import { parseWindowArguments } from './arguments';
import { startDesktop } from './desktop';
import { collectIncomingFiles } from './incoming-files';
import { registerAppScheme } from './protocol';
import { hardenProcess } from './security';

// Electron would show a modal box for each of these and stand still until someone presses its button.
process.on('uncaughtException', (error) => process.stderr.write(`internal fault: ${error.stack ?? error.message}\n`));
process.on('unhandledRejection', (reason) => process.stderr.write(`internal fault: ${String(reason)}\n`));

const given = parseWindowArguments(process.argv, app.isPackaged, process.cwd());

if (app.requestSingleInstanceLock({ files: given.files })) {
  const incoming = collectIncomingFiles(given.files);
  registerAppScheme();
  hardenProcess();
  app
    .whenReady()
    .then(() => startDesktop(given, incoming))
    .catch((error: unknown) => {
      process.stderr.write(`internal fault: ${error instanceof Error ? error.stack : String(error)}\n`);
      app.exit(1);
    });
} else {
  app.quit();
}
