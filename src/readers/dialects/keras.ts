/**
 * The Keras dialect: a configuration and variables -> the inner form of a model.
 */
import type { Layer, RecurrentModel } from '../../core/model';
import type { JsonObject } from '../json';
import type { KerasContext } from './keras/context';
import { ModelReader } from './keras/model';
import type { ModelVariables } from './keras/variables';
import { finishModel } from '../reading';

/**
 * The model that a configuration describes, with its tensors.
 *
 * @param format - `keras-v3`, `keras-h5`.
 * @param producer - Who wrote the file.
 * @param config - `{ class_name, config }`
 * @param variables - Its variables.
 * @param context - The reading.
 * @throws TempogradError `reader/unsafe`, `reader/limit-exceeded`; and where no recurrent layer at all could be read,
 * the failure of the first.
 */
export async function readKerasModel(
  format: string,
  producer: string,
  config: JsonObject,
  variables: ModelVariables,
  context: KerasContext,
): Promise<RecurrentModel> {
  const reader = new ModelReader(context);
  await reader.readModel(config, variables);
  return finishModel(format, producer, markIds(reader.builder.layers), reader.inputs, context);
}

/** Keras 2 gives the input of an Embedding a float type; what feeds an Embedding are ids all the same. */
function markIds(layers: readonly Layer[]): readonly Layer[] {
  const feeding = new Set<number>();
  for (let index = layers.length - 1; index >= 0; index--) {
    const layer = layers[index];
    if (!layer) continue;
    const takesIds =
      layer.operation.kind === 'embedding' || (layer.operation.kind === 'identity' && feeding.has(index));
    if (takesIds) for (const input of layer.inputs) feeding.add(input.layer);
  }
  return layers.map((layer, index) =>
    layer.operation.kind === 'input' && feeding.has(index)
      ? { ...layer, operation: { ...layer.operation, integer: true } }
      : layer,
  );
}
