/**
 * Files as byte sources: read by range, on demand, and only ordinary files.
 *
 * A device, a pipe or a socket behind a harmless name is refused before it is opened, so that nothing waits for ever
 * and nothing has a side effect. Reading is synchronous because the HDF5 library asks for bytes in the middle of a call.
 */
import { closeSync, constants, fstatSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { TempogradError } from '../core/errors';
import { checkRange, type ByteSource } from '../readers/byte-source';

/** A byte source over an open file. */
export interface FileSource extends ByteSource {
  /** Absolute. */
  readonly path: string;
  readonly name: string;
  /** Closes the file; the source is unusable afterwards. */
  close(): void;
}

/** What a path is; all else (devices, pipes, sockets) is refused. */
export type PathKind = 'file' | 'folder';

/**
 * Whether a path is an ordinary file or a folder.
 *
 * @param path - Any path; links are followed.
 * @throws TempogradError `reader/not-readable` when there is nothing, no permission, or something else than these two.
 */
export function kindOfPath(path: string): PathKind {
  const found = attempt(path, () => statSync(path));
  if (found.isFile()) return 'file';
  if (found.isDirectory()) return 'folder';
  throw notReadable(path, 'it is neither an ordinary file nor a folder');
}

/**
 * An open file as a byte source.
 *
 * @param path - An ordinary file.
 * @throws TempogradError `reader/not-readable` when it does not exist, may not be read, or is no ordinary file.
 */
export function openFileSource(path: string): FileSource {
  if (kindOfPath(path) !== 'file') throw notReadable(path, 'it is a folder');
  const descriptor = attempt(path, () => openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)));
  const found = fstatSync(descriptor);
  if (!found.isFile()) {
    closeSync(descriptor);
    throw notReadable(path, 'it is not an ordinary file');
  }
  return {
    path: resolve(path),
    name: basename(path),
    size: found.size,
    read: (offset, length) => readRange(descriptor, path, found.size, offset, length),
    close: () => closeSync(descriptor),
  };
}

/**
 * Paths of the ordinary files that stand directly in a folder, sorted by name.
 *
 * @param path - A folder.
 * @param limit - At most so many are given.
 * @throws TempogradError `reader/not-readable` when it cannot be listed.
 */
export function filesInFolder(path: string, limit: number): readonly string[] {
  const entries = attempt(path, () => readdirSync(path, { withFileTypes: true }));
  const names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  return names
    .sort()
    .slice(0, limit)
    .map((name) => join(path, name));
}

function readRange(descriptor: number, path: string, size: number, offset: number, length: number): Uint8Array {
  checkRange(size, offset, length);
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const got = attempt(path, () => readSync(descriptor, bytes, done, length - done, offset + done));
    if (got === 0) {
      throw new TempogradError('reader/truncated', `${path} became shorter while it was read`, {
        details: { path, size, offset: offset + done },
      });
    }
    done += got;
  }
  return bytes;
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw notReadable(path, reasonOf(cause), cause);
  }
}

function reasonOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission is missing';
  return cause instanceof Error ? cause.message : String(cause);
}

function notReadable(path: string, reason: string, cause?: unknown): TempogradError {
  return new TempogradError('reader/not-readable', `${path} cannot be read: ${reason}`, {
    details: { path, reason },
    cause,
  });
}
