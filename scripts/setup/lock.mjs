/**
 * One setup at a time for a cache folder: a lock file that names its process. A lock whose process is gone is taken over.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryName } from './files.mjs';

const POLL_MS = 500;

/**
 * Runs `work` while holding the lock.
 *
 * @param {string} lockFile path of the lock file
 * @param {(owner: number) => void} onWait called once when another living process holds it
 * @param {() => Promise<T>} work what is to be done alone
 * @returns {Promise<T>} what `work` hands back
 * @template T
 */
export async function withLock(lockFile, onWait, work) {
  mkdirSync(dirname(lockFile), { recursive: true });
  let said = false;
  while (!take(lockFile)) {
    const owner = ownerOf(lockFile);
    if (owner === null || !isAlive(owner)) {
      removeStale(lockFile);
      continue;
    }
    if (!said) onWait(owner);
    said = true;
    await sleep(POLL_MS);
  }
  const release = () => {
    if (ownerOf(lockFile) === process.pid) rmSync(lockFile, { force: true });
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    release();
    process.removeListener('exit', release);
  }
}

/** Tries to make the lock file; false where it exists. It appears with its content, so that no one reads an empty one. */
function take(lockFile) {
  const prepared = temporaryName(lockFile);
  writeFileSync(prepared, String(process.pid));
  try {
    linkSync(prepared, lockFile);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    if (error.code !== 'EPERM' && error.code !== 'ENOTSUP') throw error;
    return takeWithoutLinks(lockFile);
  } finally {
    rmSync(prepared, { force: true });
  }
}

/** The same on a file system without hard links. */
function takeWithoutLinks(lockFile) {
  try {
    writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead process's lock; one that a living process took in between is put back. */
function removeStale(lockFile) {
  const aside = temporaryName(lockFile);
  try {
    renameSync(lockFile, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  const owner = ownerOf(aside);
  if (owner !== null && isAlive(owner)) renameSync(aside, lockFile);
  else rmSync(aside, { force: true });
}

/** The process id in a lock file; null where the file is gone or holds none. */
function ownerOf(lockFile) {
  try {
    const pid = Number(readFileSync(lockFile, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

/** Whether a process of this id lives, whoever owns it. */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
