/**
 * What a file or a folder is taken as: a model, a part of one, data for a model, or neither. Decided by content.
 */
import { basename, dirname } from 'node:path';
import { TempogradError } from '../core/errors';
import type { ByteSource } from '../readers/byte-source';
import { detectContainer, type ContainerKind } from '../readers/detect';
import { filesInFolder, openFileSource } from './file-source';

/** At most so many entries of a folder are looked at. */
const MAX_FOLDER_FILES = 1000;

const TEXT_DATA = /\.(csv|tsv|txt)$/i;

/** So much of a JSON text tells whether it stands for a model. */
const JSON_HEAD_BYTES = 1 << 16;

/** The text in which TensorFlow names the newest checkpoint of a folder. */
const CHECKPOINT_STATE = 'checkpoint';
const MAX_CHECKPOINT_STATE_BYTES = 1 << 16;

/** What a file is taken as. */
export type FileRole = 'model' | 'data';

/** Containers that hold a model, or at least nothing that could be data for one. */
const MODEL_KINDS: readonly ContainerKind[] = ['hdf5', 'onnx', 'saved-model', 'pickle', 'safetensors', 'tensor-index'];

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
    if (MODEL_KINDS.includes(kind)) return 'model';
    if (kind === 'json') return isIndex(source) ? 'model' : null;
    return kind === 'other' && TEXT_DATA.test(path) ? 'data' : null;
  } finally {
    source.close();
  }
}

/** What a model file is to a user, from its first bytes; and whether it is all of the model. */
export interface ModelLook {
  readonly kind: string;
  readonly isWhole: boolean;
}

const KIND_NAMES: Readonly<Partial<Record<ContainerKind, ModelLook>>> = {
  hdf5: { kind: 'Keras, HDF5', isWhole: true },
  onnx: { kind: 'ONNX', isWhole: true },
  pickle: { kind: 'PyTorch', isWhole: true },
  safetensors: { kind: 'safetensors', isWhole: true },
  'saved-model': { kind: 'TensorFlow SavedModel', isWhole: false },
  'tensor-index': { kind: 'TensorFlow checkpoint', isWhole: false },
};

/**
 * What a model file looks like, without reading it.
 *
 * @param path - A file that `roleOf` takes as a model.
 * @throws TempogradError `reader/not-readable`.
 */
export function lookOfModel(path: string): ModelLook {
  const source = openFileSource(path);
  try {
    const { kind, description } = detectContainer(source);
    if (kind === 'zip') {
      const first = firstEntryName(source);
      const isKeras = /^(metadata|config)\.json$|^model\.weights\.(h5|npz|json)$/.test(first);
      return { kind: isKeras ? 'Keras' : first.includes('/') ? 'PyTorch' : 'ZIP archive', isWhole: true };
    }
    if (kind === 'json') {
      const isTensors = headOf(source).includes('"weight_map"');
      return { kind: isTensors ? 'Shards of weights' : 'TensorFlow.js', isWhole: false };
    }
    return KIND_NAMES[kind] ?? { kind: description, isWhole: true };
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

/** A JSON text that stands for a model whose weights are in other files; a mere description of one does not. */
function isIndex(source: ByteSource): boolean {
  return /"(weight_map|weightsManifest|modelTopology)"\s*:/.test(headOf(source));
}

function headOf(source: ByteSource): string {
  return new TextDecoder().decode(source.read(0, Math.min(source.size, JSON_HEAD_BYTES)));
}

/**
 * The one model file that stands directly in a folder.
 *
 * @param folder - A folder.
 * @throws TempogradError `reader/unknown-format` when there is none, or more than one.
 */
export function modelOfFolder(folder: string): string {
  const models = modelsOfFolder(folder);
  const [model] = models;
  if (model !== undefined && models.length === 1) return model;
  const names = models.slice(0, 12).map((path) => basename(path));
  throw new TempogradError(
    'reader/unknown-format',
    `The folder ${basename(folder)} holds ${models.length} model files`,
    { remedy: `Give one of them: ${names.join(', ')}.`, details: { folder, models: names } },
  );
}

/**
 * The model files that stand directly in a folder, at least one.
 *
 * @param folder - A folder.
 * @throws TempogradError `reader/unknown-format` when there is none.
 */
export function modelsOfFolder(folder: string): readonly string[] {
  const files = filesInFolder(folder, MAX_FOLDER_FILES);
  const models = modelsAmong(files);
  if (models.length > 0) return models;
  throw new TempogradError(
    'reader/unknown-format',
    `The folder ${basename(folder)} holds no model file that can be read (${files.length} files looked at)`,
    { remedy: 'Give a model file, or the folder of a SavedModel.', details: { folder, models: [] } },
  );
}

/**
 * Those of several files that are models of their own: shards of one another, and older checkpoints of the same
 * training, left out.
 *
 * @param paths - Ordinary files.
 * @throws TempogradError `reader/not-readable`.
 */
export function modelsAmong(paths: readonly string[]): readonly string[] {
  const graphs = paths.filter((path) => basename(path) === 'saved_model.pb');
  // Beside its graph a SavedModel keeps nothing that is a model by itself.
  if (graphs.length === 1) return graphs;
  const models = paths.filter((path) => roleOf(path) === 'model');
  const parts = new Set(models.flatMap((path) => (/\.json$/i.test(path) ? partsOf(path) : [])));
  const whole = models.filter((path) => !parts.has(basename(path)));
  return newestCheckpoint(whole, paths) ?? whole;
}

/** Names of the files that an index names, as far as its text tells. */
function partsOf(path: string): readonly string[] {
  const source = openFileSource(path);
  try {
    const text = new TextDecoder().decode(source.read(0, Math.min(source.size, MAX_INDEX_BYTES)));
    return [...text.matchAll(/"([^"/\\]{1,255}\.(?:safetensors|h5|bin))"/g)].map(([, name = '']) => name);
  } finally {
    source.close();
  }
}

const MAX_INDEX_BYTES = 1 << 26;

/** Of several TensorFlow checkpoints in a folder the one that its `checkpoint` text names; null when none is named. */
function newestCheckpoint(models: readonly string[], all: readonly string[]): readonly string[] | null {
  const state = all.find((path) => basename(path) === CHECKPOINT_STATE);
  if (state === undefined || models.length < 2) return null;
  const source = openFileSource(state);
  try {
    const text = new TextDecoder().decode(source.read(0, Math.min(source.size, MAX_CHECKPOINT_STATE_BYTES)));
    const named = /^model_checkpoint_path:\s*"([^"]+)"/m.exec(text)?.[1];
    if (named === undefined) return null;
    const index = `${basename(named)}.index`;
    const newest = models.filter((path) => basename(path) === index && dirname(path) === dirname(state));
    return newest.length === 1 && models.every((path) => path.endsWith('.index')) ? newest : null;
  } finally {
    source.close();
  }
}
