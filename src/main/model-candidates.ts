/**
 * Several models that were given at once, told apart for the one who is to choose: name, place, kind, size.
 */
import { statSync } from 'node:fs';
import { basename, dirname, relative, sep } from 'node:path';
import { lookOfModel } from '../host/file-role';
import type { ModelCandidate } from '../shared/contract';

/**
 * What each of several model files looks like, in the order of a list that people read: 2 before 10.
 *
 * @param paths - Absolute paths, at least one, none twice.
 * @throws TempogradError `reader/not-readable`.
 */
export function candidatesOf(paths: readonly string[]): readonly ModelCandidate[] {
  const shared = sharedFolder(paths);
  const { compare } = new Intl.Collator('en', { numeric: true });
  return paths
    .map((path) => {
      const { kind, isWhole } = lookOfModel(path);
      const bytes = isWhole ? statSync(path).size : null;
      return { path, fileName: basename(path), folder: relative(shared, dirname(path)), kind, bytes };
    })
    .sort((a, b) => compare(a.folder, b.folder) || compare(a.fileName, b.fileName));
}

/** The deepest folder that holds all of them. */
function sharedFolder(paths: readonly string[]): string {
  const folders = paths.map((path) => dirname(path).split(sep));
  const first = folders[0] ?? [];
  const depth = first.findIndex((part, at) => folders.some((folder) => folder[at] !== part));
  return first.slice(0, depth === -1 ? first.length : depth).join(sep) || sep;
}
