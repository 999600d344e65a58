/**
 * Files that lie beside a model, for formats that spread one model over several: shards, and architectures beside weights.
 *
 * Only ordinary files of the model's own folder, by a plain name; a link is refused, because it could lead out of it.
 */
import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openFileSource, type FileSource } from './file-source';

/** The files of one folder, opened by name, and closed together. */
export interface Neighbours {
  /** A file by its plain name, null when there is none. */
  open(name: string): FileSource | null;
  close(): void;
}

/**
 * The neighbours of a file.
 *
 * @param path - The file.
 */
export function neighboursOf(path: string): Neighbours {
  const opened: FileSource[] = [];
  return {
    open(name) {
      if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) return null;
      const neighbour = join(dirname(path), name);
      if (lstatSync(neighbour, { throwIfNoEntry: false })?.isFile() !== true) return null;
      const source = openFileSource(neighbour);
      opened.push(source);
      return source;
    },
    close() {
      for (const source of opened) source.close();
    },
  };
}
