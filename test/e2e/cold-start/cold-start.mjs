/**
 * Cold start of Tempograd's window against an empty Electron window, in one run on one machine:
 * `node test/e2e/cold-start/cold-start.mjs [ROUNDS]`. Prints medians and their ratio; the program must be built.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDisplay } from '../../../scripts/run/display.mjs';
import { chromiumSwitches, describeMachine } from '../../../scripts/run/electron.mjs';
import { findElectron } from '../../../scripts/setup/electron-path.mjs';
import { cacheDirectory, cacheLayout, projectLayout } from '../../../scripts/setup/paths.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const programs = {
  empty: join(here, 'empty-app'),
  tempograd: process.env.TEMPOGRAD_APP ?? fileURLToPath(new URL('../../..', import.meta.url)),
};
/** A start that takes longer counts as none. */
const LIMIT_MS = 30_000;
const rounds = Number(process.argv[2] ?? 7);

const electron = findElectron(projectLayout(), cacheLayout(cacheDirectory()));
const display = await openDisplay();
if (!electron || !display) throw new Error('there is no Electron or no display; npm run setup says why');
const switches = chromiumSwitches(describeMachine(display.virtual));

/** Milliseconds from starting the process until its window can be used; a fresh profile each time. */
function measure(program) {
  const profile = mkdtempSync(join(tmpdir(), 'tempograd-cold-'));
  const args = ['-r', join(here, 'measure.cjs'), ...switches, `--user-data-dir=${profile}`, program];
  return new Promise((resolve, reject) => {
    const begun = Date.now();
    let time = null;
    const child = spawn(electron.executable, args, { env: display.env, stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.on('data', (text) => {
      const found = /interactive (\d+)/.exec(String(text));
      if (found) time = Number(found[1]) - begun;
    });
    const late = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    child.once('exit', () => {
      clearTimeout(late);
      rmSync(profile, { recursive: true, force: true });
      if (time === null) reject(new Error(`${program} ended before its window could be used`));
      else resolve(time);
    });
  });
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const times = { empty: [], tempograd: [] };
for (let round = 0; round < rounds; round++) {
  for (const name of Object.keys(programs)) times[name].push(await measure(programs[name]));
}
display.close();
for (const [name, values] of Object.entries(times)) {
  console.log(
    `${name.padEnd(10)} median ${median(values)} ms  (${Math.min(...values)} to ${Math.max(...values)}, ${rounds} starts)`,
  );
}
console.log(`ratio      ${(median(times.tempograd) / median(times.empty)).toFixed(2)}  (the target is 2 at most)`);
