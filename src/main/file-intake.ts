/**
 * Whatever is given to the program - dropped, chosen, named on the command line, sent by a second instance - and what
 * it is: a model to open, or data for the model that is open. Decided by content, as everywhere.
 */
import { basename, resolve } from 'node:path';
import { TempogradError } from '../core/errors';
import { filesInFolder, kindOfPath, openFileSource } from '../host/file-source';
import type { ByteSource } from '../readers/byte-source';
import { detectContainer } from '../readers/detect';
import type { OpenOutcome } from '../shared/contract';
import type { ModelSession } from './model-session';

/** At most so many entries of a dropped folder are looked at. */
const MAX_FOLDER_FILES = 1000;

const TEXT_DATA = /\.(csv|tsv|txt)$/i;

/** What a file is taken as. */
export type FileRole = 'model' | 'data';

/** What intake is given. */
export interface IntakeOptions {
  readonly model: ModelSession;
  /** Cancels a run that belongs to the model before. */
  readonly onModelChange: () => void;
  readonly onOpened: (path: string) => void;
}

/**
 * Opens what is given: at most one model and one data file.
 *
 * @param options - The session and who is told.
 * @param given - Paths of files or folders; relative ones are taken from the working folder.
 * @returns What is open through it; a part that was not given is null.
 * @throws TempogradError as the readers do; `usage/bad-option` for several models at once.
 */
export async function openGiven(options: IntakeOptions, given: readonly string[]): Promise<OpenOutcome> {
  const paths = given.map((path) => resolve(path));
  const files = paths.flatMap((path) => (kindOfPath(path) === 'folder' ? modelsOfFolder(path) : [path]));
  const roles = files.map((path) => ({ path, role: roleOf(path) }));
  const models = roles.filter(({ role }) => role !== 'data').map(({ path }) => path);
  const data = roles.filter(({ role }) => role === 'data').map(({ path }) => path);
  if (models.length > 1) throw severalModels(models);
  // A data file alone, with nothing open, is read as a model, so that the message says what it is instead.
  const modelPath = models[0] ?? (options.model.current === null ? data.shift() : undefined);
  const model = modelPath === undefined ? null : await openModel(options, modelPath);
  const dataPath = data[0];
  return { model, data: dataPath === undefined ? null : await options.model.describeData(dataPath) };
}

async function openModel(options: IntakeOptions, path: string): Promise<NonNullable<OpenOutcome['model']>> {
  const model = await options.model.open(path);
  options.onModelChange();
  options.onOpened(path);
  return model;
}

/**
 * What a file is taken as, from its first bytes; null for what is neither, which as a model gives the clearest message.
 *
 * @param path - An ordinary file.
 * @throws TempogradError `reader/not-readable`.
 */
export function roleOf(path: string): FileRole | null {
  const source = openFileSource(path);
  try {
    const { kind } = detectContainer(source);
    if (kind === 'npy') return 'data';
    if (kind === 'zip') return firstEntryName(source).endsWith('.npy') ? 'data' : 'model';
    if (kind === 'hdf5') return 'model';
    return kind === 'other' && TEXT_DATA.test(path) ? 'data' : null;
  } finally {
    source.close();
  }
}

/** Name in the first local header of a zip file; an .npz starts with an array, a model never does. */
function firstEntryName(source: ByteSource): string {
  const head = source.read(0, Math.min(source.size, 1024));
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 30 || view.getUint32(0, true) !== 0x04034b50) return '';
  return new TextDecoder().decode(head.subarray(30, 30 + view.getUint16(26, true)));
}

function modelsOfFolder(folder: string): readonly string[] {
  const files = filesInFolder(folder, MAX_FOLDER_FILES);
  const models = files.filter((path) => roleOf(path) === 'model');
  if (models.length === 1) return models;
  if (models.length > 1) throw severalModels(models);
  throw new TempogradError(
    'reader/unknown-format',
    `The folder ${basename(folder)} holds no model file that can be read (${files.length} files looked at)`,
    { remedy: 'Drop a Keras .keras or .h5 file, or a folder that holds one.', details: { folder } },
  );
}

function severalModels(paths: readonly string[]): TempogradError {
  const names = paths.map((path) => basename(path)).join(', ');
  return new TempogradError('usage/bad-option', `Several models at once: ${names}`, {
    remedy: 'Drop one of them; one model is open at a time.',
    details: { paths },
  });
}
