/**
 * A model told from nothing but named tensors: a checkpoint, or a SavedModel without Keras's description.
 */
import type { RecurrentModel } from '../../../core/model';
import { GraphBuilder } from '../../graph-builder';
import { OBJECT_BYTES } from '../../object-count';
import { finishModel, type FormatOptions } from '../../reading';
import type { StoredTensor } from '../../stored-tensor';
import { findFusedCells } from '../fused-cells/find-fused-cells';
import { addFusedCells } from '../fused-cells/read-fused-cells';
import { newContext } from '../keras/context';
import { classOfFound, type FoundLayer } from '../keras/found-layer';
import { addFoundLayers, addShapedLayers } from '../keras/weights-only';
import { findPartedLayers } from '../named-weights/find-parted-layers';
import { addPartedLayers } from '../named-weights/parted-layer';
import { findKerasLayers } from '../keras/find-named-layers';

/** The key under which TensorFlow 2 keeps the graph of objects. */
export const OBJECT_GRAPH = '_CHECKPOINTABLE_OBJECT_GRAPH';

/** A tensor as each way of naming looks at it: its place, its names, and lists of those that are left. */
const TENSOR_BYTES = 8 * OBJECT_BYTES.record;
const NAME_COPIES = 4;

/** Who wrote named tensors. */
export interface NamedWriter {
  readonly producer: string;
  /** Which Keras's words and defaults hold. */
  readonly generation: 2 | 3;
}

/**
 * The recurrent layers among named tensors; all other tensors are listed.
 *
 * @param format - `tf-checkpoint`, `saved-model`, `tfjs`.
 * @param writer - Who wrote the file, and whose words it uses.
 * @param tensors - The tensors, without those that only training needs.
 * @param options - Options.
 * @throws TempogradError as `finishModel`.
 */
export async function readNamedTensors(
  format: string,
  { producer, generation }: NamedWriter,
  tensors: readonly StoredTensor[],
  options: FormatOptions,
): Promise<RecurrentModel> {
  const context = newContext({ generation, version: null }, options);
  const builder = new GraphBuilder(context.limits);
  for (const { name } of tensors) context.limits.objects.add(TENSOR_BYTES + NAME_COPIES * name.length);
  const parted = findPartedLayers(tensors, options);
  await addPartedLayers(parted.layers, builder, context);
  const keras = findKerasLayers(parted.rest);
  await addFoundLayers(keras.layers, builder, context);
  const fused = findFusedCells(keras.rest);
  await addFusedCells(fused.cells, builder, context);
  const shaped = await addShapedLayers(fused.rest, 'only the shapes of its tensors tell what it is', builder, context);
  await addFoundLayers(listedLayers(shaped.rest), builder, context);
  return finishModel(format, producer, builder.layers, [], context);
}

/** Tensors that are no cell's, those of one holder together. */
function listedLayers(tensors: readonly StoredTensor[]): readonly FoundLayer[] {
  const layers = new Map<string, StoredTensor[]>();
  for (const tensor of tensors) {
    const holder = tensor.name.split('/').slice(0, -1).join('/') || tensor.name;
    const own = layers.get(holder);
    if (own) own.push(tensor);
    else layers.set(holder, [tensor]);
  }
  return [...layers].map(([name, variables]) => ({
    name,
    path: name,
    className: classOfFound(name.split('/').at(-1) ?? name, []),
    stages: [],
    variables,
  }));
}
