/**
 * Opens the window with some files; where there is no display, runs the same window on a virtual one, which analyses each file
 * (or the bundled sample), leaves a report and a screenshot, and ends. `npm start` and `tempograd open` both come here.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findElectron } from '../setup/electron-path.mjs';
import { openDisplay } from './display.mjs';
import { runElectron, sandboxProblem } from './electron.mjs';

export const OUTPUT_FOLDER = 'tempograd-out';
const HEADLESS_SECONDS = 300;

/**
 * Opens the window.
 *
 * @param {{ project: ReturnType<import('../setup/paths.mjs').projectLayout>, cache: ReturnType<import('../setup/paths.mjs').cacheLayout>,
 *   files: string[], workingFolder: string, say: (line: string) => void }} options files are relative to the working folder
 * @returns {Promise<number>} the exit code
 */
export async function openWindow({ project, cache, files, workingFolder, say }) {
  const electron = findElectron(project, cache);
  if (!electron) {
    say(
      'start: there is no Electron, so no window. "npm run setup" says why; the command line works: node bin/tempograd.mjs --help',
    );
    return 1;
  }
  const problem = sandboxProblem(electron.executable);
  if (problem) {
    say(`start: ${problem}`);
    return 1;
  }
  const display = await openDisplay();
  if (!display) {
    say(
      'start: there is no display and no Xvfb. Install it (Debian: apt-get install xvfb xauth) or use the command line: node bin/tempograd.mjs --help',
    );
    return 1;
  }
  const paths = files.map((file) => resolve(workingFolder, file));
  const start = { executable: electron.executable, root: project.root, display };
  try {
    return display.virtual
      ? await runHeadless(start, paths, workingFolder, say)
      : await runElectron({ ...start, args: paths });
  } finally {
    display.close();
  }
}

/** The same window without anyone to look at it: one run a file, or one with the sample; apart from the user's own settings and windows. */
async function runHeadless(start, paths, workingFolder, say) {
  say('start: no display here, so the window runs on a virtual one');
  const outDir = resolve(workingFolder, OUTPUT_FOLDER);
  const userData = mkdtempSync(join(tmpdir(), 'tempograd-run-'));
  try {
    for (const file of paths.length > 0 ? paths : [undefined]) {
      const args = ['--headless-run', '--out-dir', outDir, ...(file ? [file] : [])];
      const code = await runElectron({
        ...start,
        switches: [`--user-data-dir=${userData}`],
        args,
        timeoutSeconds: HEADLESS_SECONDS,
      });
      if (code !== 0) return code;
    }
    return 0;
  } finally {
    rmSync(userData, { recursive: true, force: true });
  }
}
