/**
 * One setup at a time for a cache folder: a lock file that names its process. A lock whose process is gone is taken over.
 */
import { mkdirSync, openSync, closeSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

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
      rmSync(lockFile, { force: true });
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

/** Tries to make the lock file; false where it exists. */
function take(lockFile) {
  try {
    const file = openSync(lockFile, 'wx');
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
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
