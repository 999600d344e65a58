/**
 * A result file that appears only when it is complete.
 *
 * Bytes go to a temporary name in the same folder; `commit` syncs and renames, `abort` removes. A file that had the
 * name before is untouched until the rename, which the file system does at once or not at all.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { TempogradError } from '../core/errors';
import type { FileSink } from '../shared/file-sink';

/**
 * A sink whose bytes become the file `path` on commit.
 *
 * @param path - Final name; its folder must exist.
 * @throws TempogradError `output/not-writable` when the name is that of a folder, device or pipe, the folder cannot be
 * written, or a write fails (full disk).
 */
export function openFileSink(path: string): FileSink {
  const target = resolve(path);
  const temporary = join(dirname(target), temporaryName(basename(target), process.pid));
  let descriptor: number;
  try {
    refuseSpecial(target);
    descriptor = openSync(temporary, 'wx+', 0o666);
  } catch (cause) {
    throw notWritable(target, cause);
  }
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(descriptor);
    isOpen = false;
  };
  const abort = (): Promise<void> => {
    close();
    rmSync(temporary, { force: true });
    return Promise.resolve();
  };

  return {
    write(position, bytes) {
      try {
        let done = 0;
        while (done < bytes.length) done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
      } catch (cause) {
        throw notWritable(target, cause);
      }
    },
    read(position, length) {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const count = readSync(descriptor, bytes, done, length - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return bytes;
    },
    async commit(otherName) {
      const name = otherName === undefined ? target : join(dirname(target), basename(otherName));
      try {
        fsyncSync(descriptor);
        close();
        renameSync(temporary, name);
        syncFolder(dirname(target));
      } catch (cause) {
        await abort();
        throw notWritable(name, cause);
      }
    },
    abort,
  };
}

/** Nothing when the name is free or an ordinary file's; the rename would put a file in the place of a device or pipe. */
function refuseSpecial(target: string): void {
  const found = statSync(target, { throwIfNoEntry: false });
  if (!found || found.isFile()) return;
  throw new Error(found.isDirectory() ? 'it is a folder' : 'it is no ordinary file');
}

/** Temporary names carry the process, so that what a killed process leaves can be told and removed. */
function temporaryName(name: string, pid: number): string {
  return `.${name.slice(0, 100)}.${pid}-${randomBytes(6).toString('hex')}.tmp`;
}

/**
 * Removes temporary files that a process which was killed left in a folder.
 *
 * @param folder - Where its results were to go.
 * @param pid - The process, which must have ended.
 */
export function removeLeftovers(folder: string, pid: number): void {
  const pattern = new RegExp(`^\\..*\\.${pid}-[0-9a-f]{12}\\.tmp$`);
  const names = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : [];
  for (const name of names) if (pattern.test(name)) rmSync(join(folder, name), { force: true });
}

/**
 * Makes the rename itself durable. The file is there by now: where a platform or a file system cannot sync a folder,
 * or it may not be read, that costs durability only.
 */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  let descriptor: number | null = null;
  try {
    descriptor = openSync(folder, 'r');
    fsyncSync(descriptor);
  } catch {
    // Nothing that the user could do about it.
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

function notWritable(path: string, cause: unknown): TempogradError {
  const reason = reasonOf(cause);
  return new TempogradError('output/not-writable', `${path} cannot be written: ${reason}`, {
    details: { path, reason },
    cause,
  });
}

/** The system's codes in words; its own message names a temporary file that means nothing to the user. */
function reasonOf(cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'its folder does not exist',
    ENOTDIR: 'its folder is not a folder',
    EACCES: 'permission is missing',
    EPERM: 'permission is missing',
    EROFS: 'the disk can only be read',
    ENOSPC: 'the disk is full',
    ENAMETOOLONG: 'its name is too long',
  };
  return words[code ?? ''] ?? (cause instanceof Error ? cause.message : String(cause));
}
