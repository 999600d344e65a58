/**
 * Builds the program into `out/`, only when the sources are not the ones it was built from: the stamp is a hash of their content.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { sha256Parts, writeWhole } from '../setup/files.mjs';
import { withLock } from '../setup/lock.mjs';
import { failureReason, runCommand } from '../setup/run-command.mjs';

/** Folders and files whose content decides what is built. */
const SOURCES = [
  'src',
  'electron.vite.config.ts',
  'package.json',
  'package-lock.json',
  'tsconfig.base.json',
  'tsconfig.json',
];
const PRODUCTS = [
  'out/main/index.js',
  'out/main/cli.js',
  'out/main/engine-process.js',
  'out/main/reader-process.js',
  'out/preload/index.cjs',
  'out/renderer/index.html',
];

/**
 * The hash of everything the build reads, hexadecimal.
 *
 * @param {string} root the checkout
 */
export function sourceStamp(root) {
  const files = SOURCES.flatMap((name) => listFiles(root, name)).sort();
  return sha256Parts(files.map((name) => ({ name, bytes: readFileSync(resolve(root, name)) })));
}

/** Whether `out/` holds every product, built from the sources as they are now. */
export function isBuilt(root) {
  const stamp = resolve(root, 'out/build-stamp.txt');
  if (!existsSync(stamp) || !PRODUCTS.every((name) => existsSync(resolve(root, name)))) return false;
  return readFileSync(stamp, 'utf8').trim() === sourceStamp(root);
}

/**
 * Builds where needed.
 *
 * @param {string} root the checkout
 * @param {(line: string) => void} say where lines go
 * @returns {Promise<boolean>} false where the build failed (said, with its output)
 */
export async function ensureBuilt(root, say) {
  if (isBuilt(root)) return true;
  const lock = resolve(root, 'node_modules/.tempograd-build.lock');
  return withLock(
    lock,
    (owner) => say(`build: waiting for another build (process ${owner})`),
    async () => {
      if (isBuilt(root)) return true;
      const started = performance.now();
      say('build: compiling the program ...');
      const stamp = sourceStamp(root);
      rmSync(resolve(root, 'out/build-stamp.txt'), { force: true });
      const bundler = resolve(root, 'node_modules/electron-vite/bin/electron-vite.js');
      const result = await runCommand(process.execPath, [bundler, 'build', '--logLevel', 'warn'], {
        cwd: root,
        env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
        timeoutSeconds: 300,
      });
      if (!result.ok) {
        say(`${result.stdout}${result.stderr}`.trimEnd());
        say(`build: FAILED: ${failureReason(result)}`);
        return false;
      }
      writeWhole(resolve(root, 'out/build-stamp.txt'), `${stamp}\n`);
      say(`build: done (${((performance.now() - started) / 1000).toFixed(1)} s)`);
      return true;
    },
  );
}

/** A file's own name, or the names of all files below a folder, relative to the root. */
function listFiles(root, name) {
  const path = resolve(root, name);
  if (!existsSync(path)) return [];
  if (name.includes('.')) return [name];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      resolve(entry.parentPath ?? entry.path, entry.name)
        .slice(resolve(root).length + 1)
        .replaceAll('\\', '/'),
    );
}
