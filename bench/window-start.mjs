/**
 * Case C12 of `tempograd bench`: cold start of the window against an empty Electron window, and a model of 100 MB opened in
 * it against reading its file: `node bench/window-start.mjs [--json] [ROUNDS]`. The program must be built.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDisplay } from '../scripts/run/display.mjs';
import { chromiumSwitches, describeMachine } from '../scripts/run/electron.mjs';
import { findElectron } from '../scripts/setup/electron-path.mjs';
import { cacheDirectory, cacheLayout, projectLayout } from '../scripts/setup/paths.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));
const empty = join(root, 'test', 'e2e', 'cold-start', 'empty-app');
/** A start or an opening that takes longer counts as none. */
const LIMIT_MS = 60_000;
/** Of the layer in the file: 4 (H + D) H floats are 100 MB. */
const UNITS = 2048;
const INPUTS = 1024;
/** The utility process that computes carries this in its name. */
const ENGINE_NAME = /tempograd-engine/;

const args = process.argv.slice(2);
const rounds = Number(args.find((word) => /^\d+$/.test(word)) ?? 7);
const isJson = args.includes('--json');

/** Milliseconds from starting a program until its window can be used, in a fresh profile, and the helpers at its first paint. */
function start({ executable, switches, env }, program) {
  const profile = mkdtempSync(join(tmpdir(), 'tempograd-cold-'));
  const words = ['-r', join(here, 'window-measure.cjs'), ...switches, `--user-data-dir=${profile}`, program];
  return new Promise((resolve, reject) => {
    const begun = Date.now();
    let said = '';
    const child = spawn(executable, words, { env, stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.on('data', (text) => (said += text));
    const late = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    child.once('close', () => {
      clearTimeout(late);
      rmSync(profile, { recursive: true, force: true });
      const found = /interactive (\{.*\})/.exec(said);
      if (!found) return reject(new Error(`${program} ended before its window could be used`));
      const { now, helpers } = JSON.parse(found[1]);
      return resolve({ milliseconds: now - begun, helpers });
    });
  });
}

/** An LSTM of 100 MB as PyTorch names its weights, as a safetensors file. */
function writeModel(path) {
  const shapes = {
    'lstm.weight_ih_l0': [4 * UNITS, INPUTS],
    'lstm.weight_hh_l0': [4 * UNITS, UNITS],
    'lstm.bias_ih_l0': [4 * UNITS],
    'lstm.bias_hh_l0': [4 * UNITS],
  };
  let end = 0;
  const entries = Object.entries(shapes).map(([name, shape]) => {
    const begin = end;
    end += 4 * shape.reduce((product, size) => product * size, 1);
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const numbers = Float32Array.from({ length: 2 ** 20 }, (_, i) => Math.sin(i * 12.9898) * 0.02);
  const block = Buffer.from(numbers.buffer);
  const file = openSync(path, 'w');
  writeSync(file, length);
  writeSync(file, header);
  for (let left = end; left > 0; left -= block.length) writeSync(file, block, 0, Math.min(left, block.length));
  closeSync(file);
  return 8 + header.length + end;
}

/** Seconds from a drop of the file on a running window until its layer is listed. */
async function open({ env, switches, dist }, path) {
  const { _electron } = await import('playwright-core');
  // Without a path of its own, Playwright holds the program's start back until it is connected; else the two race.
  process.env.ELECTRON_OVERRIDE_DIST_PATH = dist;
  const profile = mkdtempSync(join(tmpdir(), 'tempograd-cold-'));
  const app = await _electron.launch({
    args: [...switches, `--user-data-dir=${profile}`, root],
    cwd: root,
    env,
    timeout: LIMIT_MS,
  });
  try {
    const page = await app.firstWindow();
    await page.locator('#app > *').first().waitFor();
    const session = await page.context().newCDPSession(page);
    const data = { items: [], files: [path], dragOperationsMask: 1 };
    const begun = performance.now();
    for (const type of ['dragEnter', 'dragOver', 'drop']) {
      await session.send('Input.dispatchDragEvent', { type, x: 400, y: 300, data });
    }
    await page.getByTestId('layer-list').getByText(`LSTM ${UNITS}`).first().waitFor({ timeout: LIMIT_MS });
    return (performance.now() - begun) / 1000;
  } finally {
    await app.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

function spreadOf(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], min: sorted[0], max: sorted.at(-1) };
}

const electron = findElectron(projectLayout(), cacheLayout(cacheDirectory()));
const display = electron ? await openDisplay() : null;
if (!electron || !display) {
  console.error('there is no Electron, or neither a display nor Xvfb; npm run setup says why');
  process.exit(1);
}
const folder = mkdtempSync(join(tmpdir(), 'tempograd-model-'));
try {
  const switches = chromiumSwitches(describeMachine(display.virtual));
  const env = { ...display.env };
  delete env.ELECTRON_RUN_AS_NODE;
  const where = { executable: electron.executable, dist: electron.dist, switches, env };
  const times = { empty: [], own: [], read: [], open: [] };
  let isEngineAfterPaint = true;
  for (let round = 0; round < rounds; round++) {
    times.empty.push((await start(where, empty)).milliseconds / 1000);
    const own = await start(where, root);
    times.own.push(own.milliseconds / 1000);
    if (own.helpers.some((name) => ENGINE_NAME.test(name))) isEngineAfterPaint = false;
  }
  const model = join(folder, 'large.safetensors');
  const modelBytes = writeModel(model);
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    const begun = performance.now();
    readFileSync(model);
    times.read.push((performance.now() - begun) / 1000);
    times.open.push(await open(where, model));
  }
  const result = {
    emptyStart: spreadOf(times.empty),
    start: spreadOf(times.own),
    readFile: spreadOf(times.read),
    openModel: spreadOf(times.open),
    modelBytes,
    isEngineAfterPaint,
  };
  if (isJson) console.log(JSON.stringify(result));
  else console.log(result);
} finally {
  rmSync(folder, { recursive: true, force: true });
  display.close();
}
