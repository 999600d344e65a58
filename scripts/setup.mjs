/**
 * `npm run setup [-- --only STEP]`: brings a bare clone to where it can start. Node built-ins only, idempotent, says each step.
 * A part that cannot be had is said and left out; only missing npm packages end it with an error.
 */
import { parseArgs } from 'node:util';
import { cacheDirectory, cacheLayout, projectLayout } from './setup/paths.mjs';
import { runSetup, STEPS } from './setup/steps.mjs';

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true, default: [] } } });
const unknown = values.only.filter((name) => !(name in STEPS));
if (unknown.length > 0) {
  console.error(`setup: no step named ${unknown.join(', ')}; there are: ${Object.keys(STEPS).join(', ')}`);
  process.exit(2);
}
const context = { project: projectLayout(), cache: cacheLayout(cacheDirectory()), say: (line) => console.log(line) };
const { state, fatal } = await runSetup(context, { only: values.only });
if (state.missing.length > 0)
  console.log(
    `setup: missing: ${state.missing.map(({ step }) => step).join(', ')} (details: ${context.cache.stateFile})`,
  );
process.exitCode = fatal ? 1 : 0;
