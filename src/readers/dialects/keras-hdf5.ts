/**
 * An open HDF5 file as a Keras model: whole (`model_config` inside), weights with an architecture beside them, or weights
 * alone; in the layout of Keras 2 (`layer_names`, `weight_names`) or of Keras 3 (`layers/lstm/cell/vars/0`).
 *
 * Source: keras/src/legacy/saving/legacy_h5_format.py and keras/src/saving/saving_lib.py.
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel } from '../../core/model';
import type { Hdf5File } from '../containers/hdf5';
import { parseJson, stringField, type JsonObject, type JsonValue } from '../json';
import { readKerasModel } from './keras';
import type { KerasContext } from './keras/context';
import { flatVariables, flatWriter } from './keras/flat-variables';
import { parseArchitecture, readWithNeighbour, writerBeside } from './keras/architecture-beside';
import { newContext } from './keras/context';
import { readModelEntry } from './keras/layer-config';
import { inKeras2Words } from './keras/keras1-config';
import { withTrainingLoss } from './keras/training-loss';
import { treeVariables } from './keras/tree-variables';
import { readWeightsOnly, sayNoArchitecture } from './keras/weights-only';
import { producerOf, treeWriter, writerFromConfig, writerOf } from './keras/writer';
import type { FormatOptions } from '../reading';

/**
 * The model that an open HDF5 file, or several read as one, holds.
 *
 * @param file - The file.
 * @param name - Its name, for messages.
 * @param options - Options.
 * @throws TempogradError `reader/unknown-format` when it is no Keras model, and what reading throws.
 */
export async function readKerasHdf5(file: Hdf5File, name: string, options: FormatOptions): Promise<RecurrentModel> {
  const inside = await file.attribute('/', 'model_config');
  const version = await storedVersion(file);
  if (inside !== null) {
    const config = parseArchitecture(Array.isArray(inside) ? inside.join('') : inside, 'model_config', options);
    const context = newContext(writerOf(version) ?? writerFromConfig(config), options);
    const model = await readDescribed(file, config, context);
    return withTrainingLoss(model, trainingOf(await file.attribute('/', 'training_config'), options));
  }
  const layout = await weightsLayout(file);
  if (layout === null) {
    throw new TempogradError(
      'reader/unknown-format',
      `${name} is an HDF5 file, but it holds neither a Keras model nor Keras weights`,
    );
  }
  if (options.architecture !== null) {
    const config = parseArchitecture(options.architecture, 'the architecture file', options);
    return readDescribed(file, config, newContext(writerOf(version) ?? writerBeside(config), options));
  }
  const described = await readWithNeighbour(name, options, async (config) => {
    const context = newContext(writerOf(version) ?? writerBeside(config), options);
    return { model: await readDescribed(file, config, context), context };
  });
  if (described) return described;
  const writer = writerOf(version) ?? (layout === 'flat' ? await flatWriter(file) : await treeWriter(file));
  return readWeightsOnly(file, layout, newContext(writer, options), layout === 'tree' ? 'keras-v3' : 'keras-h5');
}

/** The training configuration; nothing where it is damaged, since no number of the model rests on it. */
function trainingOf(written: unknown, options: FormatOptions): JsonValue | undefined {
  if (typeof written !== 'string') return undefined;
  try {
    return parseJson(written, 'training_config', options.limits);
  } catch (error) {
    if (error instanceof TempogradError && error.code === 'reader/corrupt') return undefined;
    throw error;
  }
}

/** A model whose architecture is known. */
async function readDescribed(file: Hdf5File, written: JsonObject, context: KerasContext): Promise<RecurrentModel> {
  const config = context.writer.generation === 1 ? inKeras2Words(written) : written;
  const base = (await file.kindOf('/model_weights')) === 'group' ? '/model_weights' : '/';
  const isFlat = base !== '/' || (await file.attribute(base, 'layer_names')) !== null;
  const format = isFlat ? 'keras-h5' : 'keras-v3';
  if (readModelEntry(config) === null) {
    sayNoArchitecture(stringField(config, 'class_name') ?? 'unknown', context);
    return readWeightsOnly(file, isFlat ? 'flat' : 'tree', context, format);
  }
  const variables = isFlat ? await flatVariables(file, base) : treeVariables(file, '');
  return readKerasModel(format, producerOf(context.writer), config, variables, context);
}

async function storedVersion(file: Hdf5File): Promise<string | null> {
  for (const path of ['/', '/model_weights']) {
    const version = (await file.kindOf(path)) === 'group' ? await file.attribute(path, 'keras_version') : null;
    if (typeof version === 'string') return version;
  }
  return null;
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
