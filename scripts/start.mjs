/**
 * `npm start [-- FILE...]`: sets up what is missing, builds when the sources changed, opens the window.
 */
import { cacheDirectory, cacheLayout, projectLayout } from './setup/paths.mjs';
import { runSetup } from './setup/steps.mjs';
import { ensureBuilt } from './run/build.mjs';
import { openWindow } from './run/open-window.mjs';

const say = (line) => console.log(line);
const context = { project: projectLayout(), cache: cacheLayout(cacheDirectory()), say };
const { fatal } = await runSetup(context, { retry: false });
if (fatal || !(await ensureBuilt(context.project.root, say))) process.exit(1);
// npm changes into the package's folder; INIT_CWD is where the user stood.
const workingFolder = process.env.INIT_CWD ?? process.cwd();
process.exitCode = await openWindow({ ...context, files: process.argv.slice(2), workingFolder });
