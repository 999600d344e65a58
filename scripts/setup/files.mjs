/**
 * File work that is safe when two setups run at once: everything appears under its final name only when it is whole.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  copyFileSync,
  createReadStream,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

/**
 * The SHA-256 of a file, hexadecimal.
 *
 * @param {string} path the file; it is read as a stream
 */
export async function sha256File(path) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

/**
 * The SHA-256 over the names and bytes of some small files, hexadecimal; the same for the same content in any folder.
 *
 * @param {{ name: string, bytes: Uint8Array | string }[]} parts in a fixed order
 */
export function sha256Parts(parts) {
  const hash = createHash('sha256');
  for (const { name, bytes } of parts) hash.update(`${name}\0${Buffer.byteLength(bytes)}\0`).update(bytes);
  return hash.digest('hex');
}

/**
 * Whether a file holds the bytes that an npm integrity names (`sha512-<base64>`).
 *
 * @param {string} path the file
 * @param {string} integrity as in a lock file
 */
export function matchesIntegrity(path, integrity) {
  const [algorithm, expected] = integrity.split(/-(.*)/s);
  return createHash(algorithm).update(readFileSync(path)).digest('base64') === expected;
}

/** A name beside `path` that no other process uses; to be renamed to `path` when it is whole. */
export function temporaryName(path) {
  return `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}

/**
 * Writes a small file so that readers see the old one or the new one, never half of it.
 *
 * @param {string} path the file; its folder is made
 * @param {string | Uint8Array} content what it is to hold
 */
export function writeWhole(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}

/**
 * Puts a finished folder in its place; an older one there is moved away first, and a place taken meanwhile by another
 * setup is left as it is.
 *
 * @param {string} from the finished folder
 * @param {string} to its final name
 */
export function placeFolder(from, to) {
  if (existsSync(to)) {
    const old = temporaryName(to);
    renameSync(to, old);
    rmSync(old, { recursive: true, force: true });
  }
  mkdirSync(dirname(to), { recursive: true });
  try {
    renameSync(from, to);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    rmSync(from, { recursive: true, force: true });
  }
}

/**
 * Makes a large file of the cache visible under a second name: a symbolic link, else a hard link, else a copy.
 *
 * @param {string} target the file in the cache
 * @param {string} path the second name
 * @returns {'present' | 'symlink' | 'hard link' | 'copy'} how it was made
 */
export function linkOrCopy(target, path) {
  if (sameContentBySize(target, path)) return 'present';
  mkdirSync(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  let kind = 'symlink';
  try {
    symlinkSync(target, temporary);
  } catch {
    try {
      linkSync(target, temporary);
      kind = 'hard link';
    } catch {
      copyFileSync(target, temporary);
      kind = 'copy';
    }
  }
  renameSync(temporary, path);
  return kind;
}

/** Whether `path` leads to a file of the same size and, where it is a link, to `target` itself. */
function sameContentBySize(target, path) {
  const link = lstatSync(path, { throwIfNoEntry: false });
  if (!link) return false;
  const found = statSync(path, { throwIfNoEntry: false });
  const wanted = statSync(target);
  if (!found || found.size !== wanted.size) return false;
  return !link.isSymbolicLink() || found.ino === wanted.ino;
}

/** The bytes of a file as a short text, for one printed line. */
export function megabytes(bytes) {
  return `${Math.round(bytes / 1e6)} MB`;
}
