/**
 * What the window's command line says.
 */
import { parseArgs } from 'node:util';
import { resolve } from 'node:path';

/** The command line of the window. */
export interface WindowArguments {
  /** Absolute paths of files and folders to open. */
  readonly files: readonly string[];
  /** Analyse without anyone looking on, leave report and screenshot here, and end; null for an ordinary window. */
  readonly headlessOutput: string | null;
}

/**
 * What a command line asks for; switches of Chromium among it are passed over.
 *
 * @param argv - The process's arguments, the executable first.
 * @param isPackaged - A packaged app has no path of itself among them.
 * @param folder - Working folder that relative names refer to.
 */
export function parseWindowArguments(argv: readonly string[], isPackaged: boolean, folder: string): WindowArguments {
  const { values, positionals } = parseArgs({
    args: argv.slice(1),
    strict: false,
    options: { 'headless-run': { type: 'boolean' }, 'out-dir': { type: 'string' } },
  });
  const files = positionals.slice(isPackaged ? 0 : 1).map((name) => resolve(folder, name));
  const output = typeof values['out-dir'] === 'string' ? values['out-dir'] : '.';
  return { files, headlessOutput: values['headless-run'] === true ? resolve(folder, output) : null };
}
