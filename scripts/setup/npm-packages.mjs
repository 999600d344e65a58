/**
 * Step "npm packages": `node_modules` as `package-lock.json` says, installed with install scripts off.
 * Done is recognised by comparing npm's own record of what lies in `node_modules` with the lock file.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { NOTHING_STARTS } from './consequences.mjs';
import { failureReason, npmCommand, runCommand } from './run-command.mjs';

export const NPM_PACKAGES = 'npm packages';

/**
 * The packages of a lock file that are missing from, or of another version in, an installed tree.
 *
 * @param {Record<string, { version?: string, optional?: boolean, link?: boolean }>} wanted `packages` of `package-lock.json`
 * @param {Record<string, { version?: string }>} installed `packages` of `node_modules/.package-lock.json`
 * @returns {string[]} their paths; packages that are optional (for another platform) do not count when absent
 */
export function missingPackages(wanted, installed) {
  return Object.entries(wanted)
    .filter(([path, entry]) => {
      if (path === '' || entry.link) return false;
      const found = installed[path];
      return found ? found.version !== entry.version : !entry.optional;
    })
    .map(([path]) => path);
}

/**
 * The packages that still have to be installed in a checkout; null where nothing is installed at all.
 *
 * @param {ReturnType<import('./paths.mjs').projectLayout>} project the checkout
 * @returns {string[] | null}
 */
export function outstandingPackages(project) {
  if (!existsSync(project.installedLock)) return null;
  const wanted = JSON.parse(readFileSync(project.packageLock, 'utf8')).packages;
  const installed = JSON.parse(readFileSync(project.installedLock, 'utf8')).packages;
  const recorded = Object.keys(installed).filter((path) => !existsSync(resolve(project.root, path, 'package.json')));
  return [...missingPackages(wanted, installed), ...recorded];
}

/** @type {import('./steps.mjs').Step} */
export const npmPackagesStep = {
  name: NPM_PACKAGES,
  fatal: true,
  follows: NOTHING_STARTS,
  async isDone({ project }) {
    const outstanding = outstandingPackages(project);
    return outstanding !== null && outstanding.length === 0 ? 'present' : null;
  },
  async perform({ project, say }) {
    say('installing what package-lock.json names (npm ci, install scripts off)');
    const npm = npmCommand();
    const args = [...npm.args, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const result = await runCommand(npm.command, args, { cwd: project.root, shell: npm.shell, timeoutSeconds: 900 });
    if (result.ok) {
      const installed = JSON.parse(readFileSync(project.installedLock, 'utf8')).packages;
      return { ok: true, detail: `${Object.keys(installed).length} packages installed` };
    }
    return {
      ok: false,
      detail: 'npm ci failed',
      tried: `npm ci: ${failureReason(result)}`,
      follows: NOTHING_STARTS,
      remedy: 'check the network and the registry npm is configured with, then run the command again',
    };
  },
};
