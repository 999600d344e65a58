/**
 * The `.keras` archive: `metadata.json`, `config.json` and `model.weights.h5` in a ZIP.
 *
 * Source: keras/src/saving/saving_lib.py.
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel } from '../../core/model';
import { openHdf5 } from '../containers/hdf5';
import type { ZipArchive } from '../containers/zip';
import { readKerasModel } from '../dialects/keras';
import { newContext } from '../dialects/keras/context';
import { readModelEntry } from '../dialects/keras/layer-config';
import { treeVariables } from '../dialects/keras/tree-variables';
import { readWeightsOnly, sayNoArchitecture } from '../dialects/keras/weights-only';
import { producerOf, writerFromConfig, writerOf } from '../dialects/keras/writer';
import { isObject, parseJson, stringField, type JsonObject } from '../json';
import { checkLimit } from '../limits';
import type { FormatOptions } from '../reading';
import type { ModelFile, ModelFormat } from './format';

const CONFIG = 'config.json';
const METADATA = 'metadata.json';
const WEIGHTS = 'model.weights.h5';

/** A `.keras` archive. */
export const kerasV3: ModelFormat = {
  id: 'keras-v3',
  matches: ({ archive }) => archive?.has(CONFIG) === true,
  read: readKerasV3,
};

async function readKerasV3({ name, archive }: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  if (!archive) throw new Error('a .keras file is an archive');
  const config = await readObject(archive, CONFIG, options);
  const metadata = archive.has(METADATA) ? await readObject(archive, METADATA, options) : {};
  const context = newContext(writerOf(stringField(metadata, 'keras_version')) ?? writerFromConfig(config), options);
  if (!archive.has(WEIGHTS)) {
    const sharded = archive.names.find((entry) => entry.startsWith('model.weights') || entry.startsWith('model_'));
    throw new TempogradError(
      sharded === undefined ? 'reader/corrupt' : 'reader/unknown-format',
      `${name} holds no ${WEIGHTS}${sharded === undefined ? '' : `; weights in ${sharded} are not read yet`}`,
    );
  }
  const weights = await openHdf5(await archive.open(WEIGHTS), WEIGHTS, options.limits);
  if (readModelEntry(config) === null) {
    sayNoArchitecture(stringField(config, 'class_name') ?? 'unknown', context);
    return readWeightsOnly(weights, 'tree', context, 'keras-v3');
  }
  return readKerasModel('keras-v3', producerOf(context.writer), config, treeVariables(weights, ''), context);
}

async function readObject(archive: ZipArchive, entry: string, options: FormatOptions): Promise<JsonObject> {
  const part = await archive.open(entry);
  checkLimit(`Size of ${entry} in bytes`, part.size, 'maxJsonBytes', options.limits);
  const value = parseJson(new TextDecoder('utf-8').decode(part.read(0, part.size)), entry, options.limits);
  if (isObject(value)) return value;
  throw new TempogradError('reader/corrupt', `${entry} is not a JSON object`);
}
