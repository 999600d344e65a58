/**
 * Keras models and weights in one HDF5 file: `.h5`, `.hdf5`, `.weights.h5`.
 */
import type { RecurrentModel } from '../../core/model';
import type { ByteSource } from '../byte-source';
import { openHdf5 } from '../containers/hdf5';
import { readKerasHdf5 } from '../dialects/keras-hdf5';
import type { FormatOptions } from '../reading';

/**
 * The model that an HDF5 file holds.
 *
 * @param source - The file.
 * @param name - Its name, for messages.
 * @param options - Options.
 * @throws TempogradError `reader/unknown-format` when it is no Keras model, and what reading throws.
 */
export async function readKerasH5(source: ByteSource, name: string, options: FormatOptions): Promise<RecurrentModel> {
  return readKerasHdf5(await openHdf5(source, name, options.limits), name, options);
}
