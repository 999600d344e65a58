/**
 * Where Tempograd keeps things: the checkout, the cache folder and what lies inside it.
 * Knows paths only: nothing here touches the disk.
 */
import { homedir } from 'node:os';
import { posix, resolve, win32 } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the checkout this script lies in. */
export const PROJECT_ROOT = resolve(fileURLToPath(new URL('../..', import.meta.url)));

/**
 * The cache folder: `TEMPOGRAD_CACHE`, else the platform's own cache folder for the user.
 *
 * @param {Record<string, string | undefined>} env environment variables
 * @param {string} platform a value of `process.platform`
 * @param {string} home the user's home folder
 * @returns {string} an absolute path in the platform's own spelling
 */
export function cacheDirectory(env = process.env, platform = process.platform, home = homedir()) {
  const { join, isAbsolute } = platform === 'win32' ? win32 : posix;
  const absolute = (path) => (isAbsolute(path) ? path : resolve(path));
  if (env.TEMPOGRAD_CACHE) return absolute(env.TEMPOGRAD_CACHE);
  if (platform === 'win32') {
    return join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'tempograd', 'cache');
  }
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'tempograd');
  // The XDG rule: a relative XDG_CACHE_HOME is to be ignored.
  const xdg = env.XDG_CACHE_HOME;
  return join(xdg && isAbsolute(xdg) ? xdg : join(home, '.cache'), 'tempograd');
}

/**
 * The names inside a cache folder, in one place.
 *
 * @param {string} cache the folder of {@link cacheDirectory}
 */
export function cacheLayout(cache) {
  return {
    root: cache,
    lockFile: resolve(cache, 'setup.lock'),
    stateFile: resolve(cache, 'setup-state.json'),
    electronDownloads: resolve(cache, 'electron-downloads'),
    electronRepack: resolve(cache, 'electron-repack'),
    libtensorflow: resolve(cache, 'libtensorflow'),
    binding: resolve(cache, 'binding'),
    temporary: resolve(cache, 'tmp'),
  };
}

/**
 * The names inside a checkout that setup reads or fills.
 *
 * @param {string} root the checkout's root folder
 */
export function projectLayout(root = PROJECT_ROOT) {
  const tfjsNode = resolve(root, 'node_modules/@tensorflow/tfjs-node');
  return {
    root,
    nodeModules: resolve(root, 'node_modules'),
    packageLock: resolve(root, 'package-lock.json'),
    installedLock: resolve(root, 'node_modules/.package-lock.json'),
    electron: resolve(root, 'node_modules/electron'),
    nodeApiHeaders: resolve(root, 'node_modules/node-api-headers/include'),
    tfjsNode,
    tfjsLibraries: resolve(tfjsNode, 'deps/lib'),
    tfjsBindings: resolve(tfjsNode, 'lib'),
  };
}
