/**
 * ONNX: one protocol buffer with the graph and, mostly, its weights; the rest lies in files beside it.
 */
import type { RecurrentModel } from '../../core/model';
import { addOnnxGraph } from '../dialects/onnx/graph';
import { inlineFunctions } from '../dialects/onnx/inline-functions';
import { readOnnxModel } from '../dialects/onnx/model';
import { GraphBuilder } from '../graph-builder';
import { finishModel, newReading, type FormatOptions } from '../reading';
import type { ModelFile, ModelFormat } from './format';

/** A ModelProto. */
export const onnx: ModelFormat = {
  id: 'onnx',
  matches: ({ container }) => container.kind === 'onnx',
  read: readOnnx,
};

async function readOnnx(file: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  const { producer, graph, functions } = readOnnxModel(file.source, file.name, options.limits);
  const reading = newReading(options);
  const builder = new GraphBuilder(options.limits);
  const inputs = await addOnnxGraph(inlineFunctions(graph, functions, options.limits), builder, options, reading);
  return finishModel('onnx', producer === '' ? 'ONNX' : `ONNX (${producer})`, builder.layers, inputs, reading);
}
