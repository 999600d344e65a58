/**
 * SavedModel folders: `saved_model.pb`, `variables/variables.index` with its shards, and `keras_metadata.pb`.
 *
 * The graph itself is never run: the variables are read, and the recurrence is rebuilt from what Keras says of its
 * layers, else from the variables' names and shapes.
 * Source: tensorflow/core/protobuf/saved_model.proto and meta_graph.proto.
 */
import { TempogradError } from '../../core/errors';
import { isRecurrent, type RecurrentModel } from '../../core/model';
import type { ByteSource } from '../byte-source';
import { readFields, readText } from '../containers/protobuf';
import { openTensorBundle, type TensorBundle } from '../containers/tensor-bundle';
import { newContext } from '../dialects/keras/context';
import { isKeras3, weightsOf } from '../dialects/tensorflow/checkpoint-names';
import { kerasObjectsOf, readKerasMetadata, type KerasObject } from '../dialects/tensorflow/keras-objects';
import {
  readCheckpointGraph,
  readSavedGraph,
  type CheckpointNode,
  type SavedNode,
} from '../dialects/tensorflow/object-graph';
import { OBJECT_GRAPH, readNamedTensors } from '../dialects/tensorflow/named-tensors';
import { readSavedKeras } from '../dialects/tensorflow/saved-keras';
import type { FormatOptions } from '../reading';
import type { ModelFile, ModelFormat } from './format';

const VARIABLES = 'variables/variables';
const METADATA = 'keras_metadata.pb';

/** A SavedModel, given by its `saved_model.pb`. */
export const savedModel: ModelFormat = {
  id: 'saved-model',
  matches: ({ container }) => container.kind === 'saved-model',
  read: readSavedModel,
};

/** One graph of a SavedModel with the objects around it. */
interface MetaGraph {
  readonly version: string;
  readonly tags: readonly string[];
  /** A `SavedObjectGraph`; null before TensorFlow 2. */
  readonly objects: ByteSource | null;
}

async function readSavedModel({ source, name }: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  const graph = chooseGraph(readMetaGraphs(source, name), name);
  const producer = graph.version === '' ? 'TensorFlow' : `TensorFlow ${graph.version}`;
  const index = options.openBeside(`${VARIABLES}.index`);
  if (!index) {
    throw new TempogradError(
      'reader/external-data-missing',
      `${name} is the graph of a SavedModel; its variables (${VARIABLES}.index) are not beside it`,
      { details: { file: `${VARIABLES}.index` } },
    );
  }
  const bundle = openTensorBundle(index, `${VARIABLES}.index`, VARIABLES, options.openBeside, options.limits);
  const nodes = readObjects(bundle, options);
  const saved = graph.objects ? readSavedGraph(graph.objects, options.limits) : [];
  const objects = readKerasObjects(saved, options);
  if (objects.length > 0) {
    const context = newContext({ generation: 2, version: null }, options);
    const model = await readSavedKeras({ objects, saved, nodes, tensors: bundle.tensors }, producer, context);
    if (model.layers.some(isRecurrent) || context.failures.length === 0) return model;
  }
  const generation = isKeras3(nodes) ? 3 : 2;
  return readNamedTensors(
    'saved-model',
    { producer, generation },
    weightsOf(bundle.tensors, nodes, options.limits),
    options,
  );
}

function readKerasObjects(saved: readonly SavedNode[], options: FormatOptions): readonly KerasObject[] {
  const metadata = options.openBeside(METADATA);
  return metadata ? readKerasMetadata(metadata, options.limits) : kerasObjectsOf(saved, options.limits);
}

function readObjects(bundle: TensorBundle, options: FormatOptions): readonly CheckpointNode[] {
  const text = bundle.text(OBJECT_GRAPH);
  return text ? readCheckpointGraph(text, options.limits) : [];
}

function readMetaGraphs(source: ByteSource, name: string): readonly MetaGraph[] {
  const graphs: MetaGraph[] = [];
  for (const field of readFields(source, name)) {
    if (field.number === 2 && field.type === 'bytes') graphs.push(readMetaGraph(field.source, name));
  }
  return graphs;
}

function readMetaGraph(source: ByteSource, name: string): MetaGraph {
  const graph = { version: '', tags: [] as string[], objects: null as ByteSource | null };
  for (const field of readFields(source, name)) {
    if (field.type !== 'bytes') continue;
    if (field.number === 7) graph.objects = field.source;
    if (field.number !== 1) continue;
    for (const info of readFields(field.source, `${name}: its description`)) {
      if (info.type !== 'bytes') continue;
      if (info.number === 4) graph.tags.push(readText(info.source, `${name}: a tag`));
      if (info.number === 5) graph.version = readText(info.source, `${name}: its version`);
    }
  }
  return graph;
}

/** Of several graphs the one to be served; their variables are the same. */
function chooseGraph(graphs: readonly MetaGraph[], name: string): MetaGraph {
  const chosen = graphs.find(({ tags }) => tags.includes('serve')) ?? graphs[0];
  if (chosen) return chosen;
  throw new TempogradError('reader/corrupt', `${name} holds no graph`);
}
