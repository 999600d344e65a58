/**
 * Descriptions of models (`to_json()`) in files beside weights that have none.
 */
import { TempogradError } from '../../../core/errors';
import { isRecurrent, type RecurrentModel } from '../../../core/model';
import { isObject, parseJson, stringField, type JsonObject } from '../../json';
import { assume, type FormatOptions } from '../../reading';
import type { KerasContext, KerasWriter } from './context';
import { readModelEntry } from './layer-config';
import { writerFromConfig, writerOf } from './writer';

/** Names of files that may describe weights without an architecture, besides the weights' own name. */
const ARCHITECTURE_NAMES = ['architecture.json', 'model.json', 'config.json', 'model_architecture.json'];

/** A model as a description gives it, and the reading in which it was made. */
export interface DescribedModel {
  readonly model: RecurrentModel;
  readonly context: KerasContext;
}

/**
 * The weights read with a description that lies beside them and fits them in every layer; null without one.
 *
 * @param name - Name of the weights' file.
 * @param options - Options.
 * @param read - Reads the weights with a description.
 * @throws TempogradError `reader/unsafe`
 */
export async function readWithNeighbour(
  name: string,
  options: FormatOptions,
  read: (config: JsonObject) => Promise<DescribedModel>,
): Promise<RecurrentModel | null> {
  const own = `${name.replace(/(\.weights)?\.(h5|hdf5|json|index)$/i, '')}.json`;
  for (const neighbour of [own, ...ARCHITECTURE_NAMES]) {
    const source = neighbour === name ? null : options.openBeside(neighbour);
    if (!source || source.size > options.limits.maxJsonBytes) continue;
    try {
      const text = new TextDecoder('utf-8').decode(source.read(0, source.size));
      const config = parseArchitecture(text, neighbour, options);
      if (readModelEntry(config) === null) continue;
      const { model, context } = await read(config);
      if (context.failures.length > 0 || !model.layers.some(isRecurrent)) continue;
      assume(context, {
        what: 'architecture',
        assumed: neighbour,
        why: `${name} holds weights only, and ${neighbour} beside it describes a model that they fit`,
        change: '',
      });
      return model;
    } catch (error) {
      // Another model's description is no fault of this file: it is read as weights only.
      if (!(error instanceof TempogradError) || error.code === 'reader/unsafe') throw error;
    }
  }
  return null;
}

/**
 * The description that a text is.
 *
 * @param text - The text; anything else is none.
 * @param what - Its name, for messages.
 * @param options - Options.
 * @throws TempogradError `reader/corrupt`, `reader/limit-exceeded`.
 */
export function parseArchitecture(text: unknown, what: string, options: FormatOptions): JsonObject {
  const config = typeof text === 'string' ? parseJson(text, what, options.limits) : null;
  if (isObject(config)) return config;
  throw new TempogradError('reader/corrupt', `${what} is not the description of a model`);
}

/**
 * Who wrote a description: `to_json()` stores the version beside the configuration.
 *
 * @param config - The description.
 */
export function writerBeside(config: JsonObject): KerasWriter {
  return writerOf(stringField(config, 'keras_version')) ?? writerFromConfig(config);
}
