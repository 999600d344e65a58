/**
 * `npm run build`: builds the program into `out/`; nothing to do when it was built from these very sources.
 */
import { PROJECT_ROOT } from './setup/paths.mjs';
import { ensureBuilt } from './run/build.mjs';

process.exitCode = (await ensureBuilt(PROJECT_ROOT, (line) => console.error(line))) ? 0 : 1;
