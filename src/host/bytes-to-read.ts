/**
 * How many bytes stand for a model, by the names and sizes of its files alone: what the time for reading it follows from.
 */
import { statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { modelOfFolder } from './file-role';
import { filesInFolder, kindOfPath } from './file-source';

/** More files no model has. */
const MAX_FILES = 10_000;

const WEIGHTS = /\.(bin|safetensors|h5)$/i;

/**
 * Bytes of a model's file and of those that it keeps its weights in: the variables of a SavedModel, the shards of a
 * checkpoint, what lies beside an index.
 *
 * @param path - A file or folder.
 * @throws TempogradError `reader/not-readable`; `reader/unknown-format` for a folder without one model.
 */
export function bytesToRead(path: string): number {
  const model = kindOfPath(path) === 'folder' ? modelOfFolder(path) : path;
  return [model, ...weightsOf(model)].reduce((sum, file) => sum + sizeOf(file), 0);
}

function weightsOf(model: string): readonly string[] {
  const folder = dirname(model);
  if (basename(model) === 'saved_model.pb') return filesIn(join(folder, 'variables'));
  const end = extname(model).toLowerCase();
  if (end === '.json') return filesIn(folder).filter((file) => WEIGHTS.test(file));
  if (end !== '.index') return [];
  const shards = `${basename(model, extname(model))}.data-`;
  return filesIn(folder).filter((file) => basename(file).startsWith(shards));
}

/** Files of a folder, none where it is missing: the reader will say so. */
function filesIn(folder: string): readonly string[] {
  const isThere = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  return isThere ? filesInFolder(folder, MAX_FILES) : [];
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
