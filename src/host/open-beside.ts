/**
 * Files that lie beside a model, for formats that spread one model over several: shards, external data, and
 * architectures beside weights.
 *
 * Only ordinary files inside the model's own folder. A link, soft or hard, is refused on the whole way, because it could
 * lead out of the folder although its name does not.
 */
import { lstatSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { openFileSource, type FileSource } from './file-source';

/** Deeper than any format nests its parts (`variables/variables.index`). */
const MAX_DEPTH = 4;

/** The files of one folder, opened by their path inside it, and closed together. */
export interface Neighbours {
  /** A file by its path inside the folder, with `/`; null when there is none, or when it is a link or leaves the folder. */
  open(path: string): FileSource | null;
  close(): void;
}

/**
 * The neighbours of a file.
 *
 * @param path - The file.
 */
export function neighboursOf(path: string): Neighbours {
  const opened = new Map<string, FileSource>();
  return {
    open(inside) {
      const known = opened.get(inside);
      if (known) return known;
      const found = findInside(dirname(path), inside);
      if (found === null) return null;
      const source = openFileSource(found);
      opened.set(inside, source);
      return source;
    },
    close() {
      for (const source of opened.values()) source.close();
      opened.clear();
    },
  };
}

function findInside(folder: string, inside: string): string | null {
  const parts = inside.split('/');
  if (parts.length > MAX_DEPTH || !parts.every(isPlainName)) return null;
  let path = folder;
  for (const [depth, part] of parts.entries()) {
    path = join(path, part);
    const found = lookAt(path);
    if (depth === parts.length - 1) return found?.isFile() === true && found.nlink === 1 ? path : null;
    if (found?.isDirectory() !== true) return null;
  }
  return null;
}

function isPlainName(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..' && !/[\\\0:]/.test(part);
}

function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    // A name that the file system does not take (too long) is the name of no file.
    return undefined;
  }
}
