/**
 * `npm run dev [-- FILE...]`: the window, built again and opened again whenever a source changes. There is no development server: the window
 * may not open any connection, in development neither. Needs a display.
 */
import { watch } from 'node:fs';
import { resolve } from 'node:path';
import { ensureBuilt } from './run/build.mjs';
import { openDisplay } from './run/display.mjs';
import { runElectron, sandboxProblem } from './run/electron.mjs';
import { findElectron } from './setup/electron-path.mjs';
import { cacheDirectory, cacheLayout, projectLayout } from './setup/paths.mjs';
import { runSetup } from './setup/steps.mjs';
import { hasDisplay } from './setup/system-libraries.mjs';

/** An editor that saves several files does so within this time. */
const QUIET_MS = 300;

const say = (line) => console.log(line);
const context = { project: projectLayout(), cache: cacheLayout(cacheDirectory()), say };
const { root } = context.project;
const { fatal } = await runSetup(context, { retry: false });
const electron = findElectron(context.project, context.cache);
const problem = electron ? sandboxProblem(electron.executable) : 'there is no Electron; see the lines above';
const display = hasDisplay() ? await openDisplay() : null;
if (fatal || problem || !display) {
  console.error(`dev: ${problem ?? 'the npm packages and a display are needed'}`);
  process.exit(1);
}

let onChange = () => {};
let timer;
watch(resolve(root, 'src'), { recursive: true }, () => {
  clearTimeout(timer);
  timer = setTimeout(() => onChange(), QUIET_MS);
});

let closed = null;
while (closed === null) closed = await showUntilChange();
process.exit(closed);

/** One build and its window; null when a source changed, else the exit code of the window that was closed. */
async function showUntilChange() {
  const changed = new Promise((done) => (onChange = () => done(null)));
  if (!(await ensureBuilt(root, say))) return changed;
  const stop = new AbortController();
  const files = process.argv.slice(2).map((file) => resolve(process.env.INIT_CWD ?? process.cwd(), file));
  const run = runElectron({ executable: electron.executable, root, args: files, display, signal: stop.signal });
  const end = await Promise.race([changed, run]);
  stop.abort();
  await run;
  return end;
}
