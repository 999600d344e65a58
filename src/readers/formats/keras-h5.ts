/**
 * Keras models and weights in one HDF5 file: `.h5`, `.hdf5`, `.weights.h5`.
 */
import { openHdf5 } from '../containers/hdf5';
import { readKerasHdf5 } from '../dialects/keras-hdf5';
import type { ModelFormat } from './format';

/** Keras models and weights in HDF5; any HDF5 file, so that one of another kind is named for what it is. */
export const kerasH5: ModelFormat = {
  id: 'keras-h5',
  matches: ({ container }) => container.kind === 'hdf5',
  read: async ({ source, name }, options) => readKerasHdf5(await openHdf5(source, name, options.limits), name, options),
};
