/**
 * Keras 3 weights in shards: an index `model.weights.json` that names the `.h5` files beside it.
 *
 * Source: keras/src/saving/saving_lib.py, ShardedH5IOStore.
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel } from '../../core/model';
import type { ByteSource } from '../byte-source';
import { readKerasHdf5 } from '../dialects/keras-hdf5';
import { openWeightShards } from '../dialects/keras/weight-shards';
import { field, isObject, stringField, type JsonValue } from '../json';
import type { FormatOptions } from '../reading';
import type { ModelFile, ModelFormat } from './format';

/** An index of Keras weights, and descriptions of Keras models, which are named for what they are. */
export const kerasSharded: ModelFormat = {
  id: 'keras-v3',
  matches: ({ json }) => isObject(json),
  read: readKerasSharded,
};

async function readKerasSharded(file: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  const { name, json: index } = file;
  const map = field(index, 'weight_map');
  if (!isObject(map)) throw notAnIndex(index, name);
  const open = (shard: string): Promise<ByteSource | null> => Promise.resolve(options.openBeside(shard));
  return readKerasHdf5(await openWeightShards(map, name, open, options.limits), name, options);
}

function notAnIndex(index: JsonValue, name: string): TempogradError {
  const isArchitecture = stringField(index, 'class_name') !== null && field(index, 'config') !== undefined;
  return isArchitecture
    ? new TempogradError('reader/external-data-missing', `${name} describes a Keras model, but holds no weights`, {
        remedy: 'Give the file of its weights; a description of the same name beside it is found by itself.',
      })
    : new TempogradError('reader/unknown-format', `${name} is a JSON text, not a Keras model`);
}
