/**
 * TensorFlow.js models: a `model.json` with the topology and a manifest of the weights, which lie in shards beside it.
 *
 * A layers-model is a Keras model. A graph-model is a frozen graph without layers: what its weights' names and shapes
 * tell of recurrent cells is offered.
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel } from '../../core/model';
import { readKerasModel } from '../dialects/keras';
import { newContext } from '../dialects/keras/context';
import { readModelEntry } from '../dialects/keras/layer-config';
import { producerOf } from '../dialects/keras/writer';
import { isTree, listedTree, listedVariables } from '../dialects/tensorflow/listed-variables';
import { layerNamesIn, readTfjsTopology } from '../dialects/tensorflow/tfjs-topology';
import { readTfjsWeights } from '../dialects/tensorflow/tfjs-weights';
import { field, stringField } from '../json';
import { assume, type FormatOptions } from '../reading';
import type { ModelFile, ModelFormat } from './format';

/** A `model.json` of TensorFlow.js. */
export const tfjs: ModelFormat = {
  id: 'tfjs',
  matches: ({ json }) => field(json, 'weightsManifest') !== undefined || field(json, 'modelTopology') !== undefined,
  read: readTfjs,
};

async function readTfjs({ name, json }: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  const manifest = field(json, 'weightsManifest');
  if (manifest === undefined || manifest === null) {
    throw new TempogradError('reader/external-data-missing', `${name} describes a model, but lists no weights`);
  }
  const { config, writer } = readTfjsTopology(field(json, 'modelTopology'), name);
  const context = newContext(writer, options);
  const weights = readTfjsWeights(manifest, name, {
    open: options.openBeside,
    sayRenamed: (path, found) => {
      assume(context, { what: `shard ${path}`, assumed: found, why: `${path} is not beside ${name}`, change: '' });
    },
  });
  if (readModelEntry(config) === null) {
    throw new TempogradError(
      'reader/unknown-format',
      `${name} describes a model of the class ${stringField(config, 'class_name') ?? ''}`,
    );
  }
  const variables = isTree(weights) ? listedTree(weights, '') : listedVariables(weights, layerNamesIn(config));
  return readKerasModel('tfjs', producerOf(writer), config, variables, context);
}
