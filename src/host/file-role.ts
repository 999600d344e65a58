/**
 * What a file or a folder is taken as: a model, data for a model, or neither. Decided by content, as everywhere.
 */
import { basename } from 'node:path';
import { TempogradError } from '../core/errors';
import type { ByteSource } from '../readers/byte-source';
import { detectContainer } from '../readers/detect';
import { filesInFolder, openFileSource } from './file-source';

/** At most so many entries of a folder are looked at. */
const MAX_FOLDER_FILES = 1000;

const TEXT_DATA = /\.(csv|tsv|txt)$/i;

/** What a file is taken as. */
export type FileRole = 'model' | 'data';

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

/**
 * The one model file that stands directly in a folder.
 *
 * @param folder - A folder.
 * @throws TempogradError `reader/unknown-format` when there is none, or more than one.
 */
export function modelOfFolder(folder: string): string {
  const files = filesInFolder(folder, MAX_FOLDER_FILES);
  const models = files.filter((path) => roleOf(path) === 'model');
  const [model] = models;
  if (model !== undefined && models.length === 1) return model;
  const found = models.length === 0 ? 'no model file that can be read' : `${models.length} model files`;
  const names = models.slice(0, 12).map((path) => basename(path));
  throw new TempogradError(
    'reader/unknown-format',
    `The folder ${basename(folder)} holds ${found} (${files.length} files looked at)`,
    {
      remedy: models.length === 0 ? 'Give a Keras .keras or .h5 file.' : `Give one of them: ${names.join(', ')}.`,
      details: { folder, models: names },
    },
  );
}
