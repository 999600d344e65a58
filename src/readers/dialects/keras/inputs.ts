/**
 * Input layers: the shape that a model is fed, without the batch.
 */
import { field, isArray, type JsonObject, type JsonValue } from '../../json';
import type { GraphBuilder } from '../../graph-builder';

/**
 * The shape that a configuration states, without the batch; null when it states none.
 *
 * @param config - Of an input layer, of a first layer, of a Sequential model, or a layer's entry.
 */
export function inputShape(config: JsonValue): readonly (number | null)[] | null {
  for (const name of ['batch_shape', 'batch_input_shape', 'build_input_shape']) {
    const withBatch = sizes(field(config, name));
    if (withBatch) return withBatch.slice(1);
  }
  const built = sizes(field(field(config, 'build_config'), 'input_shape'));
  if (built) return built.slice(1);
  return sizes(field(config, 'shape')) ?? sizes(field(config, 'input_shape'));
}

function sizes(value: JsonValue | undefined): readonly (number | null)[] | null {
  if (!isArray(value) || value.length === 0) return null;
  const all = value.every(
    (size) => size === null || (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0),
  );
  return all ? (value as readonly (number | null)[]) : null;
}

/**
 * Adds an input layer and gives its index.
 *
 * @param builder - The graph.
 * @param name - Its name.
 * @param config - Its configuration: a shape and an element type.
 */
export function addInput(builder: GraphBuilder, name: string, config: JsonObject): number {
  const dtype = field(config, 'dtype');
  return builder.add({
    name,
    className: 'InputLayer',
    operation: {
      kind: 'input',
      shape: inputShape(config) ?? [null, null],
      integer: typeof dtype === 'string' && /^u?int/.test(dtype),
    },
    inputs: [],
    weights: [],
    path: '',
    sourceGateOrder: [],
  });
}
