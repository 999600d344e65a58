/**
 * Step "display and system libraries" (Linux): what Electron's binary links against, and a virtual display where there is none.
 * Installed with apt-get as root; otherwise the one command that does it is printed.
 */
import { existsSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { NO_WINDOW } from './consequences.mjs';
import { failureReason, runCommand } from './run-command.mjs';

export const SYSTEM_LIBRARIES = 'display and system libraries';

/** Shared library -> the Debian package that brings it. */
const LIBRARIES = {
  'libgtk-3.so.0': 'libgtk-3-0',
  'libnss3.so': 'libnss3',
  'libasound.so.2': 'libasound2',
  'libgbm.so.1': 'libgbm1',
  'libXss.so.1': 'libxss1',
  'libatk-bridge-2.0.so.0': 'libatk-bridge2.0-0',
  'libdrm.so.2': 'libdrm2',
  'libxkbcommon.so.0': 'libxkbcommon0',
  'libnotify.so.4': 'libnotify4',
};
const PROGRAMS = { Xvfb: 'xvfb', xauth: 'xauth' };

/** Whether this environment has a display of its own. */
export function hasDisplay(env = process.env, platform = process.platform) {
  return platform !== 'linux' || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);
}

/**
 * The Debian packages that are missing.
 *
 * @param {string} loaderCache the output of `ldconfig -p`
 * @param {(program: string) => boolean} hasProgram whether a program is on the path
 * @param {boolean} display whether there is a display already
 * @returns {string[]} package names
 */
export function missingSystemPackages(loaderCache, hasProgram, display) {
  const names = new Set([...loaderCache.matchAll(/^\s*(\S+)\s/gm)].map((match) => match[1]));
  const libraries = Object.entries(LIBRARIES).filter(([library]) => !names.has(library));
  const programs = display ? [] : Object.entries(PROGRAMS).filter(([program]) => !hasProgram(program));
  return [...libraries, ...programs].map(([, debian]) => debian);
}

/** Whether a program of this name lies on the path. */
export function isOnPath(program, env = process.env) {
  return (env.PATH ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(resolve(folder, program)));
}

/** @type {import('./steps.mjs').Step} */
export const systemLibrariesStep = {
  name: SYSTEM_LIBRARIES,
  fatal: false,
  follows: NO_WINDOW,
  async isDone() {
    if (process.platform !== 'linux') return 'nothing to do on this platform';
    const missing = await findMissing();
    return missing.length === 0 ? 'present' : null;
  },
  async perform({ say }) {
    const missing = await findMissing();
    const command = `apt-get install -y ${missing.join(' ')}`;
    if (!isOnPath('apt-get'))
      return failure(
        `missing: ${missing.join(' ')} (Debian names); no apt-get here`,
        'install them with the package manager of this system',
      );
    if (process.getuid?.() !== 0) return failure(`missing: ${missing.join(' ')}; not root`, `sudo ${command}`);
    say(`installing ${missing.join(' ')} with apt-get`);
    const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, timeoutSeconds: 900 };
    const update = await runCommand('apt-get', ['update', '-q'], options);
    const names = await Promise.all(missing.map(currentName));
    const result = await runCommand('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names], options);
    const still = await findMissing();
    if (still.length === 0) return { ok: true, detail: `installed ${names.join(' ')}` };
    return failure(
      `${command}: ${failureReason(result.ok ? update : result)}; still missing: ${still.join(' ')}`,
      command,
    );
  },
};

/** A package's name on this system: newer Debian and Ubuntu releases carry some of them with the ending `t64`. */
async function currentName(name) {
  const renamed = await runCommand('apt-cache', ['show', `${name}t64`], { timeoutSeconds: 60 });
  return renamed.ok ? `${name}t64` : name;
}

async function findMissing() {
  const ldconfig = existsSync('/sbin/ldconfig') ? '/sbin/ldconfig' : 'ldconfig';
  const result = await runCommand(ldconfig, ['-p'], { timeoutSeconds: 30 });
  return missingSystemPackages(result.stdout, (program) => isOnPath(program), hasDisplay());
}

function failure(tried, remedy) {
  return { ok: false, detail: 'incomplete', tried, follows: NO_WINDOW, remedy };
}
