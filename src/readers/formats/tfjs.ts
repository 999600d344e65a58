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
import { nameGraphWeights } from '../dialects/tensorflow/graph-model-names';
import { readNamedTensors } from '../dialects/tensorflow/named-tensors';
import { layerNamesIn, readTfjsTopology } from '../dialects/tensorflow/tfjs-topology';
import { readTfjsWeights } from '../dialects/tensorflow/tfjs-weights';
import { field, stringField, type JsonValue } from '../json';
import { assume, type FormatOptions } from '../reading';
import type { ModelFile, ModelFormat } from './format';

/** A `model.json` of TensorFlow.js. */
export const tfjs: ModelFormat = {
  id: 'tfjs',
  matches: ({ json }) => field(json, 'weightsManifest') !== undefined || field(json, 'modelTopology') !== undefined,
  read: readTfjs,
};

/** A graph-model's topology is a graph of nodes. */
function isGraph(json: JsonValue): boolean {
  const topology = field(json, 'modelTopology');
  return stringField(json, 'format') === 'graph-model' || Array.isArray(field(topology, 'node'));
}

async function readGraphModel(
  name: string,
  json: JsonValue,
  manifest: JsonValue,
  options: FormatOptions,
): Promise<RecurrentModel> {
  const weights = readTfjsWeights(manifest, name, { open: options.openBeside, sayRenamed: () => undefined });
  const version = stringField(json, 'generatedBy');
  const producer = `TensorFlow ${version ?? '(version not stored)'}, frozen for TensorFlow.js`;
  const model = await readNamedTensors('tfjs', { producer, generation: 2 }, nameGraphWeights(weights), options);
  const warning = {
    code: 'cell/unsupported',
    message: `${name} is a frozen graph (graph-model): it has no layers left, and its recurrent cells are told from its weights`,
    remedy: 'Convert the Keras model itself to a layers-model, or open it, to have the whole of it.',
  };
  return { ...model, warnings: [warning, ...model.warnings] };
}

async function readTfjs({ name, json }: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  const manifest = field(json, 'weightsManifest');
  if (manifest === undefined || manifest === null) {
    throw new TempogradError('reader/external-data-missing', `${name} describes a model, but lists no weights`);
  }
  if (isGraph(json)) return readGraphModel(name, json, manifest, options);
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
