/**
 * Keras 3 weights in shards: an index names the `.h5` files that are read as one.
 *
 * Source: keras/src/saving/saving_lib.py, ShardedH5IOStore.
 */
import { TempogradError } from '../../../core/errors';
import type { ByteSource } from '../../byte-source';
import { openHdf5, type Hdf5File } from '../../containers/hdf5';
import { mergeHdf5 } from '../../containers/merged-hdf5';
import { field, type JsonObject, type JsonValue } from '../../json';
import type { CountedLimits } from '../../limits';

/** Each shard is a file that stays open. */
const MAX_SHARDS = 1000;

/**
 * The shards of an index as one file.
 *
 * @param map - `weight_map`
 * @param name - Name of the index, for messages.
 * @param open - Opens a shard by its name, null when there is none.
 * @param limits - Caps.
 * @throws TempogradError `reader/unsafe`, `reader/corrupt`, `reader/external-data-missing`, and what opening throws.
 */
export async function openWeightShards(
  map: JsonObject,
  name: string,
  open: (shard: string) => Promise<ByteSource | null>,
  limits: CountedLimits,
): Promise<Hdf5File> {
  const files: Hdf5File[] = [];
  for (const shard of shardNames(map, name)) {
    const bytes = await open(shard);
    if (!bytes) {
      throw new TempogradError('reader/external-data-missing', `${name} names ${shard}, which is not beside it`, {
        details: { file: shard },
      });
    }
    files.push(await openHdf5(bytes, shard, limits));
  }
  return mergeHdf5(files);
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
