/**
 * Several HDF5 files read as one: the shards of a model, each holding some of its groups.
 */
import { TempogradError } from '../../core/errors';
import type { Hdf5File } from './hdf5';

/**
 * The union of files; where two hold the same object the first one counts.
 *
 * @param files - At least one.
 */
export function mergeHdf5(files: readonly Hdf5File[]): Hdf5File {
  const holding = async (path: string): Promise<Hdf5File> => {
    for (const file of files) if ((await file.kindOf(path)) !== 'missing') return file;
    throw new TempogradError('reader/corrupt', `None of the shards holds ${path}`, { details: { path } });
  };
  return {
    kindOf: async (path) => {
      for (const file of files) {
        const kind = await file.kindOf(path);
        if (kind !== 'missing') return kind;
      }
      return 'missing';
    },
    list: async (path) => {
      const names = new Set<string>();
      for (const file of files) {
        if ((await file.kindOf(path)) === 'group') for (const name of await file.list(path)) names.add(name);
      }
      return [...names];
    },
    address: async (path) => {
      const file = await holding(path);
      return (BigInt(files.indexOf(file)) << 64n) + (await file.address(path));
    },
    attribute: async (path, name) => {
      for (const file of files) {
        const value = (await file.kindOf(path)) === 'missing' ? null : await file.attribute(path, name);
        if (value !== null) return value;
      }
      return null;
    },
    dataset: async (path) => (await holding(path)).dataset(path),
  };
}
