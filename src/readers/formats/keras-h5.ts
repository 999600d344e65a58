/**
 * Keras models in HDF5: whole models (`model_config` and `model_weights`) and weights-only files of both generations.
 *
 * Source: keras/src/legacy/saving/legacy_h5_format.py and keras/src/saving/saving_lib.py.
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel } from '../../core/model';
import type { ByteSource } from '../byte-source';
import { openHdf5, type Hdf5File } from '../containers/hdf5';
import { readKerasModel } from '../dialects/keras';
import { flatVariables } from '../dialects/keras/flat-variables';
import { readModelEntry } from '../dialects/keras/layer-config';
import { treeVariables } from '../dialects/keras/tree-variables';
import { readWeightsOnly, sayNoArchitecture } from '../dialects/keras/weights-only';
import { producerOf, treeWriter, writerFromConfig, writerOf } from '../dialects/keras/writer';
import { isObject, parseJson, stringField, type JsonObject } from '../json';
import { newContext, type FormatOptions } from './format';

/**
 * The model that an HDF5 file holds.
 *
 * @param source - The file.
 * @param name - Its name, for messages.
 * @param options - Options.
 * @throws TempogradError `reader/unknown-format` when it is no Keras model, and what reading throws.
 */
export async function readKerasH5(source: ByteSource, name: string, options: FormatOptions): Promise<RecurrentModel> {
  const file = await openHdf5(source, name, options.limits);
  const config = await readConfig(file, options);
  const base = (await file.kindOf('/model_weights')) === 'group' ? '/model_weights' : '/';
  const version =
    (await file.attribute('/', 'keras_version')) ??
    (await file.attribute(base, 'keras_version')) ??
    stringField(config ?? {}, 'keras_version');
  const stated = writerOf(typeof version === 'string' ? version : null);
  if (config) {
    const context = newContext(stated ?? writerFromConfig(config), options);
    const isFlat = base !== '/' || (await file.attribute(base, 'layer_names')) !== null;
    if (readModelEntry(config) === null) {
      sayNoArchitecture(stringField(config, 'class_name') ?? 'unknown', context);
      return readWeightsOnly(file, isFlat ? 'flat' : 'tree', context, 'keras-h5');
    }
    const variables = isFlat ? await flatVariables(file, base) : treeVariables(file, '');
    return readKerasModel('keras-h5', producerOf(context.writer), config, variables, context);
  }
  const layout = await weightsLayout(file);
  if (layout === null) {
    throw new TempogradError(
      'reader/unknown-format',
      `${name} is an HDF5 file, but it holds neither a Keras model nor Keras weights`,
    );
  }
  const writer = stated ?? (layout === 'flat' ? { generation: 2, version: null } : await treeWriter(file));
  return readWeightsOnly(file, layout, newContext(writer, options), layout === 'tree' ? 'keras-v3' : 'keras-h5');
}

/** The architecture: inside the file, else given beside it. */
async function readConfig(file: Hdf5File, options: FormatOptions): Promise<JsonObject | null> {
  const inside = await file.attribute('/', 'model_config');
  const text = inside ?? options.architecture;
  if (text === null) return null;
  const what = inside === null ? 'the architecture file' : 'model_config';
  const joined = Array.isArray(text) ? text.join('') : text;
  const config = typeof joined === 'string' ? parseJson(joined, what, options.limits) : null;
  if (isObject(config)) return config;
  throw new TempogradError('reader/corrupt', `${what} is not the description of a model`);
}

/** `flat` for Keras 2's weights, `tree` for Keras 3's, null for neither. */
async function weightsLayout(file: Hdf5File): Promise<'flat' | 'tree' | null> {
  if ((await file.attribute('/', 'layer_names')) !== null) return 'flat';
  if ((await file.kindOf('/model_weights')) === 'group') return 'flat';
  for (const folder of ['/layers', '/_layer_checkpoint_dependencies', '/vars']) {
    if ((await file.kindOf(folder)) === 'group') return 'tree';
  }
  return null;
}
