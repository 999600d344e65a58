/**
 * `npm run dist`: the unpacked app, native engine inside, in `dist/release/`; in `dist/local/` where Electron's binary is not the official
 * one: such a build is marked and not to be published. Nothing to do when it was made from these very sources.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { ensureBuilt, sourceStamp } from './run/build.mjs';
import { findElectron } from './setup/electron-path.mjs';
import { sha256Parts, writeWhole } from './setup/files.mjs';
import { cacheDirectory, cacheLayout, projectLayout } from './setup/paths.mjs';
import { failureReason, runCommand } from './setup/run-command.mjs';
import { runSetup } from './setup/steps.mjs';

const FOLDERS = {
  linux: 'linux-unpacked',
  win32: 'win-unpacked',
  darwin: process.arch === 'arm64' ? 'mac-arm64' : 'mac',
};
const say = (line) => console.log(line);
const context = { project: projectLayout(), cache: cacheLayout(cacheDirectory()), say };
const { root } = context.project;
const { fatal } = await runSetup(context);
const electron = findElectron(context.project, context.cache);
if (fatal || !electron) {
  say('dist: needs the npm packages and Electron; see the lines above');
  process.exit(1);
}
if (!(await ensureBuilt(root, say))) process.exit(1);

const kind = electron.source === 'official' ? 'release' : 'local';
const output = resolve(root, 'dist', kind);
const app = resolve(output, FOLDERS[process.platform] ?? 'linux-unpacked');
const stampFile = resolve(output, 'stamp.txt');
const stamp = distStamp();
if (kind === 'local') say('dist: Electron here is an unofficial re-pack: this build is local, not to be published');
if (existsSync(app) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp)
  say(`dist: up to date: ${app}`);
else process.exitCode = (await pack()) ? 0 : 1;

/** Runs electron-builder; true when the app is there. */
async function pack() {
  const started = performance.now();
  say('dist: packing ...');
  rmSync(output, { recursive: true, force: true });
  const builder = resolve(root, 'node_modules/electron-builder/cli.js');
  const settings = { electronDist: electron.dist, 'directories.output': `dist/${kind}` };
  const args = [
    builder,
    '--dir',
    '--config',
    'electron-builder.yml',
    ...Object.entries(settings).map(([key, value]) => `-c.${key}=${value}`),
    '--publish',
    'never',
  ];
  const result = await runCommand(process.execPath, args, { cwd: root, timeoutSeconds: 540 });
  for (const line of result.stdout.split('\n').filter((text) => text.startsWith('dist: '))) say(line);
  if (!result.ok || !existsSync(app)) {
    say(`${result.stdout}${result.stderr}`.trimEnd());
    say(`dist: FAILED: ${failureReason(result)}`);
    return false;
  }
  writeWhole(stampFile, stamp);
  say(`dist: ${app} (${((performance.now() - started) / 1000).toFixed(0)} s)`);
  return true;
}

/** What a packed app depends on: the sources, the packing rules, Electron, the native engine's state. */
function distStamp() {
  const rules = ['electron-builder.yml', 'scripts/packaging/after-pack.mjs', 'scripts/packaging/native-parts.mjs'].map(
    (name) => ({ name, bytes: readFileSync(resolve(root, name)) }),
  );
  const native = existsSync(context.cache.libtensorflow) ? 'native' : 'none';
  return sha256Parts([
    ...rules,
    { name: 'sources', bytes: sourceStamp(root) },
    { name: 'electron', bytes: electron.dist },
    { name: 'native', bytes: native },
  ]);
}
