/**
 * The model that a command is given: a path as it stands, or the prefix that TensorFlow's `save()` returns.
 */
import { statSync } from 'node:fs';

/**
 * The path of a model; of a checkpoint's prefix (`ckpt-1`) that of its index (`ckpt-1.index`).
 *
 * @param path - As the user gives it; a path that leads to nothing is given back for the reader to tell.
 */
export function modelPath(path: string): string {
  const index = `${path}.index`;
  return !isThere(path) && isThere(index) ? index : path;
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // A folder that may not be entered, a name that the file system does not take: the reader says why.
    return false;
  }
}
