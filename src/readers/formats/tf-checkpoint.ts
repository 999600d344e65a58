/**
 * TensorFlow checkpoints: an index and shards beside it, of TensorFlow 1 (by variable names) or 2 (by objects).
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel } from '../../core/model';
import { openTensorBundle } from '../containers/tensor-bundle';
import { readKerasModel } from '../dialects/keras';
import {
  parseArchitecture,
  readWithNeighbour,
  writerBeside,
  type DescribedModel,
} from '../dialects/keras/architecture-beside';
import { newContext } from '../dialects/keras/context';
import { producerOf } from '../dialects/keras/writer';
import { describedVariables } from '../dialects/tensorflow/described-checkpoint';
import { isKeras3, weightsOf } from '../dialects/tensorflow/checkpoint-names';
import { OBJECT_GRAPH, readNamedTensors } from '../dialects/tensorflow/named-tensors';
import { readCheckpointGraph } from '../dialects/tensorflow/object-graph';
import type { JsonObject } from '../json';
import type { FormatOptions } from '../reading';
import type { ModelFile, ModelFormat } from './format';

/** A checkpoint, given by its index. */
export const tfCheckpoint: ModelFormat = {
  id: 'tf-checkpoint',
  matches: ({ container }) => container.kind === 'tensor-index',
  read: readCheckpoint,
};

async function readCheckpoint({ source, name }: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  const bundle = openTensorBundle(source, name, name.replace(/\.index$/, ''), options.openBeside, options.limits);
  const objects = bundle.text(OBJECT_GRAPH);
  const nodes = objects ? readCheckpointGraph(objects, options.limits) : [];
  const producer = objects ? 'TensorFlow 2 (version not stored)' : 'TensorFlow 1 (version not stored)';
  const read = async (config: JsonObject): Promise<DescribedModel> => {
    const context = newContext(writerBeside(config), options);
    const variables = describedVariables(nodes, bundle.tensors, config);
    if (!variables) throw new TempogradError('cell/shape-mismatch', `${name} holds no model of Keras`);
    const model = await readKerasModel('tf-checkpoint', producerOf(context.writer), config, variables, context);
    return { model, context };
  };
  if (options.architecture !== null) {
    return (await read(parseArchitecture(options.architecture, 'the architecture file', options))).model;
  }
  const described = nodes.length > 0 ? await readWithNeighbour(name, options, read) : null;
  if (described) return described;
  const generation = isKeras3(nodes) ? 3 : 2;
  return readNamedTensors(
    'tf-checkpoint',
    { producer, generation },
    weightsOf(bundle.tensors, nodes, options.limits),
    options,
  );
}
