/**
 * Keras 3 weights in shards: an index `model.weights.json` that names the `.h5` files beside it.
 *
 * Source: keras/src/saving/saving_lib.py, ShardedH5IOStore.
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel } from '../../core/model';
import { openHdf5, type Hdf5File } from '../containers/hdf5';
import { mergeHdf5 } from '../containers/merged-hdf5';
import { readKerasHdf5 } from '../dialects/keras-hdf5';
import { field, isObject, stringField, type JsonObject, type JsonValue } from '../json';
import type { FormatOptions } from '../reading';
import type { ModelFile, ModelFormat } from './format';

/** Each shard is a file that stays open. */
const MAX_SHARDS = 1000;

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
  const files: Hdf5File[] = [];
  for (const shard of shardNames(map, name)) {
    const bytes = options.openBeside(shard);
    if (!bytes) {
      throw new TempogradError('reader/external-data-missing', `${name} names ${shard}, which is not beside it`, {
        details: { file: shard },
      });
    }
    files.push(await openHdf5(bytes, shard, options.limits));
  }
  return readKerasHdf5(mergeHdf5(files), name, options);
}

function notAnIndex(index: JsonValue, name: string): TempogradError {
  const isArchitecture = stringField(index, 'class_name') !== null && field(index, 'config') !== undefined;
  return isArchitecture
    ? new TempogradError('reader/external-data-missing', `${name} describes a Keras model, but holds no weights`, {
        remedy: 'Give the file of its weights; a description of the same name beside it is found by itself.',
      })
    : new TempogradError('reader/unknown-format', `${name} is a JSON text, not a Keras model`);
}

/** The shards that an index names, each a plain file name. */
function shardNames(map: JsonObject, name: string): readonly string[] {
  const found = new Set<string>();
  for (const key of Object.keys(map)) {
    const listed = field(map, key);
    for (const shard of Array.isArray(listed) ? (listed as readonly JsonValue[]) : [listed]) {
      if (typeof shard !== 'string' || !/^[^/\\\0:]+$/.test(shard) || shard === '..' || shard === '.') {
        throw new TempogradError(
          'reader/unsafe',
          `${name} names a shard that is no plain file name: ${JSON.stringify(shard)}`,
          {
            details: { name: shard },
          },
        );
      }
      found.add(shard);
    }
  }
  if (found.size === 0 || found.size > MAX_SHARDS) {
    throw new TempogradError('reader/corrupt', `${name} names ${String(found.size)} shards`);
  }
  return [...found].sort();
}
