/**
 * The `.keras` archive: `metadata.json`, `config.json` and `model.weights.h5` (or `.npz`) in a ZIP.
 *
 * Source: keras/src/saving/saving_lib.py.
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel } from '../../core/model';
import type { ByteSource } from '../byte-source';
import { openHdf5, type Hdf5File } from '../containers/hdf5';
import { openZip, type ZipArchive } from '../containers/zip';
import { readKerasModel } from '../dialects/keras';
import { newContext } from '../dialects/keras/context';
import { readModelEntry } from '../dialects/keras/layer-config';
import { openNpzStore } from '../dialects/keras/npz-store';
import { withTrainingLoss } from '../dialects/keras/training-loss';
import { treeVariables } from '../dialects/keras/tree-variables';
import { openWeightShards } from '../dialects/keras/weight-shards';
import { readWeightsOnly, sayNoArchitecture } from '../dialects/keras/weights-only';
import { producerOf, writerFromConfig, writerOf } from '../dialects/keras/writer';
import { field, isObject, parseJson, stringField, type JsonObject } from '../json';
import { checkLimit } from '../limits';
import { asModelError, type FormatOptions } from '../reading';
import type { ModelFile, ModelFormat } from './format';

const CONFIG = 'config.json';
const METADATA = 'metadata.json';
const WEIGHTS = 'model.weights.h5';
const ARRAYS = 'model.weights.npz';
const SHARDS = 'model.weights.json';

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
  const weights = await openWeights(archive, name, options);
  if (readModelEntry(config) === null) {
    sayNoArchitecture(stringField(config, 'class_name') ?? 'unknown', context);
    return readWeightsOnly(weights, 'tree', context, 'keras-v3');
  }
  const model = await readKerasModel(
    'keras-v3',
    producerOf(context.writer),
    config,
    treeVariables(weights, ''),
    context,
  );
  return withTrainingLoss(model, field(config, 'compile_config'));
}

/** The weights of an archive: one file, or an index and its shards. */
async function openWeights(archive: ZipArchive, name: string, options: FormatOptions): Promise<Hdf5File> {
  if (archive.has(WEIGHTS)) return openHdf5(await archive.open(WEIGHTS), WEIGHTS, options.limits);
  const map = archive.has(SHARDS) ? field(await readObject(archive, SHARDS, options), 'weight_map') : null;
  if (isObject(map)) {
    const open = async (shard: string): Promise<ByteSource | null> => (archive.has(shard) ? archive.open(shard) : null);
    return openWeightShards(map, SHARDS, open, options.limits);
  }
  if (archive.has(ARRAYS)) {
    const what = `${name}: ${ARRAYS}`;
    return asModelError(async () => {
      const arrays = await openZip(await archive.open(ARRAYS), options.limits);
      return openNpzStore(arrays, what, options.limits);
    });
  }
  const other = archive.names.find((entry) => entry.startsWith('model.weights'));
  throw new TempogradError(
    other === undefined ? 'reader/corrupt' : 'reader/unknown-format',
    `${name} holds no ${WEIGHTS}${other === undefined ? '' : `; weights in ${other} are of an unknown kind`}`,
  );
}

async function readObject(archive: ZipArchive, entry: string, options: FormatOptions): Promise<JsonObject> {
  const part = await archive.open(entry);
  checkLimit(`Size of ${entry} in bytes`, part.size, 'maxJsonBytes', options.limits);
  const value = parseJson(new TextDecoder('utf-8').decode(part.read(0, part.size)), entry, options.limits);
  if (isObject(value)) return value;
  throw new TempogradError('reader/corrupt', `${entry} is not a JSON object`);
}
