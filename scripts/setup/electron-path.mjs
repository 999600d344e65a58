/**
 * Where the Electron binary is: the official one in `node_modules/electron/dist`, or the re-packed one in the cache.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** The exact Electron version of this checkout, as package.json pins it. */
export const ELECTRON_VERSION = '42.0.0';

const EXECUTABLES = {
  darwin: 'Electron.app/Contents/MacOS/Electron',
  win32: 'electron.exe',
};

/** The executable's path inside Electron's dist folder, for a platform. */
export function electronExecutable(platform = process.platform) {
  return EXECUTABLES[platform] ?? 'electron';
}

/**
 * The Electron to use, or null where there is none yet.
 *
 * @param {ReturnType<import('./paths.mjs').projectLayout>} project the checkout
 * @param {ReturnType<import('./paths.mjs').cacheLayout>} cache the cache folder's names
 * @param {NodeJS.ProcessEnv} env `ELECTRON_OVERRIDE_DIST_PATH`, where a user sets it, wins
 * @returns {{ dist: string, executable: string, source: 'override' | 'official' | 're-pack' } | null}
 */
export function findElectron(project, cache, env = process.env) {
  const candidates = [
    { dist: env.ELECTRON_OVERRIDE_DIST_PATH, source: 'override' },
    { dist: resolve(project.electron, 'dist'), source: 'official' },
    { dist: cache.electronRepack, source: 're-pack' },
  ];
  for (const { dist, source } of candidates) {
    if (!dist) continue;
    const executable = resolve(dist, electronExecutable());
    if (existsSync(executable) && (source === 'override' || versionIn(dist) === ELECTRON_VERSION))
      return { dist, executable, source };
  }
  return null;
}

/** The version written in an Electron dist folder; empty where there is none. */
function versionIn(dist) {
  const file = resolve(dist, 'version');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().replace(/^v/, '') : '';
}
