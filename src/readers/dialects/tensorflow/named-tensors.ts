/**
 * A model told from nothing but named tensors: a checkpoint, or a SavedModel without Keras's description.
 */
import type { RecurrentModel } from '../../../core/model';
import { GraphBuilder } from '../../graph-builder';
import { assume, finishModel, type FormatOptions } from '../../reading';
import type { StoredTensor } from '../../stored-tensor';
import { newContext } from '../keras/context';
import { addFoundLayers } from '../keras/weights-only';
import { findKerasLayers, findShapedLayers } from './find-named-layers';

/** The key under which TensorFlow 2 keeps the graph of objects. */
export const OBJECT_GRAPH = '_CHECKPOINTABLE_OBJECT_GRAPH';

/**
 * The recurrent layers among named tensors; all other tensors are listed.
 *
 * @param format - `tf-checkpoint`, `saved-model`, `tfjs`.
 * @param producer - Who wrote the file.
 * @param tensors - The tensors, without those that only training needs.
 * @param options - Options.
 * @throws TempogradError as `finishModel`.
 */
export async function readNamedTensors(
  format: string,
  producer: string,
  tensors: readonly StoredTensor[],
  options: FormatOptions,
): Promise<RecurrentModel> {
  const context = newContext({ generation: 2, version: null }, options);
  const builder = new GraphBuilder(context.limits);
  const keras = findKerasLayers(tensors);
  await addFoundLayers(keras.layers, builder, context);
  const shaped = findShapedLayers(keras.rest);
  for (const { path, className } of shaped.layers) {
    assume(context, {
      what: `layer at ${path}`,
      assumed: className,
      why: 'only the shapes of its tensors tell what it is',
      change: '',
    });
  }
  await addFoundLayers(shaped.layers, builder, context);
  for (const tensor of shaped.rest) {
    builder.add({
      name: tensor.name,
      className: 'tensor',
      operation: {
        kind: 'unsupported',
        reason: 'The file holds weights only; what this tensor belongs to is not stored.',
      },
      inputs: [],
      weights: [{ role: 'other', name: tensor.name, shape: [...tensor.shape], dtype: tensor.dtype, direction: null }],
      path: tensor.name,
      sourceGateOrder: [],
    });
  }
  return finishModel(format, producer, builder.layers, [], context);
}
