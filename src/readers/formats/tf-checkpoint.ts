/**
 * TensorFlow checkpoints: an index and shards beside it, of TensorFlow 1 (by variable names) or 2 (by objects).
 */
import type { RecurrentModel } from '../../core/model';
import { openTensorBundle } from '../containers/tensor-bundle';
import { isKeras3, weightsOf } from '../dialects/tensorflow/checkpoint-names';
import { OBJECT_GRAPH, readNamedTensors } from '../dialects/tensorflow/named-tensors';
import { readCheckpointGraph } from '../dialects/tensorflow/object-graph';
import type { FormatOptions } from '../reading';
import type { ModelFile, ModelFormat } from './format';

/** A checkpoint, given by its index. */
export const tfCheckpoint: ModelFormat = {
  id: 'tf-checkpoint',
  matches: ({ container }) => container.kind === 'tensor-index',
  read: readCheckpoint,
};

function readCheckpoint({ source, name }: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  const bundle = openTensorBundle(source, name, name.replace(/\.index$/, ''), options.openBeside, options.limits);
  const objects = bundle.text(OBJECT_GRAPH);
  const nodes = objects ? readCheckpointGraph(objects, options.limits) : [];
  const producer = objects ? 'TensorFlow 2 (version not stored)' : 'TensorFlow 1 (version not stored)';
  const generation = isKeras3(bundle.tensors) ? 3 : 2;
  return readNamedTensors('tf-checkpoint', { producer, generation }, weightsOf(bundle.tensors, nodes), options);
}
