/** Removes what a killed worker left half written. */
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { removeLeftovers } from '../host/file-sink';
import type { AnalyzeOrder } from './analyze-options';

/** The outputs of a command. */
export type OutputNames = Pick<AnalyzeOrder, 'out' | 'report' | 'trace' | 'json' | 'csv'>;

/**
 * What removes the temporary files, and folders that are new and empty, of a process that has ended.
 *
 * @param order - What it does; to be told before it starts, so that folders of the user's own are known.
 * @returns To be called with the id of the process.
 */
export function planCleaning(order: OutputNames | null): (pid: number) => void {
  if (order === null) return () => undefined;
  const files = [order.out, order.report, order.trace, typeof order.json === 'string' ? order.json : null];
  const parents = files.filter((path) => path !== null).map((path) => dirname(resolve(path)));
  const targets = [order.out, order.csv].filter((path) => path !== null).map((path) => resolve(path));
  const made = targets.flatMap(missingFolders);
  return (pid) => {
    const folders = new Set([...parents, ...targets, ...targets.flatMap(subfolders)]);
    for (const folder of folders) removeLeftovers(folder, pid);
    const newer = targets.filter((target) => made.includes(target)).flatMap(subfolders);
    for (const folder of [...newer, ...made]) removeIfEmpty(folder);
  };
}

/** A path and the folders above it that do not exist, deepest first. */
function missingFolders(path: string): string[] {
  const missing: string[] = [];
  for (let folder = path; !existsSync(folder); folder = dirname(folder)) missing.push(folder);
  return missing;
}

function subfolders(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
  } catch {
    return [];
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It is not there, or holds something, and then it is to stay.
  }
}
