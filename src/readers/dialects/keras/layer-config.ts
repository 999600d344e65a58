/**
 * One entry of a model's list of layers: its class, its name and its calls, in the words of both generations.
 */
import { field, isArray, isObject, stringField, type JsonObject, type JsonValue } from '../../json';

/** A layer as a model lists it. */
export interface LayerEntry {
  /** The class as the file says it, without Keras's own package. */
  readonly className: string;
  readonly name: string;
  readonly config: JsonObject;
  /** The whole entry: it identifies the layer, also where two share a name. */
  readonly entry: JsonObject;
  /** The module of a class that is not Keras's own, null otherwise. */
  readonly foreignModule: string | null;
}

/** An output of a call: `[layer name, call, tensor]`. */
export interface TensorAddress {
  readonly layer: string;
  readonly call: number;
  readonly tensor: number;
}

/** One call of a layer in a functional model. */
export interface LayerCall {
  readonly inputs: readonly TensorAddress[];
  readonly initialState: readonly TensorAddress[];
}

/**
 * The layer that an entry describes.
 *
 * @param value - The entry.
 * @param position - Its place in the list, for a name where there is none.
 */
export function readEntry(value: JsonValue, position: number): LayerEntry {
  const config = field(value, 'config');
  const settings = isObject(config) ? config : {};
  const className = stringField(value, 'class_name') ?? 'unknown';
  return {
    className: className.replace(/^(Keras|keras)>/, ''),
    name: stringField(value, 'name') ?? stringField(settings, 'name') ?? `layer_${String(position)}`,
    config: settings,
    entry: isObject(value) ? value : {},
    foreignModule: foreignModule(value),
  };
}

/** Keras 3 writes a class's module: null or another's for classes that are not its own. */
function foreignModule(value: JsonValue): string | null {
  const module = field(value, 'module');
  const registered = stringField(value, 'registered_name');
  if (typeof module === 'string')
    return /^(keras|tf_keras|tensorflow\.keras|builtins)(\.|$)/.test(module) ? null : module;
  if (module === null && registered !== null) return registered;
  return null;
}

/**
 * The calls of a layer in a functional model.
 *
 * @param entry - The layer's entry.
 */
export function readCalls(entry: JsonObject): readonly LayerCall[] {
  const nodes = field(entry, 'inbound_nodes');
  return isArray(nodes) ? nodes.map((node) => (isObject(node) ? readNewCall(node) : readOldCall(node))) : [];
}

/** Keras 3: `{ args, kwargs }` with tensors as objects. */
function readNewCall(node: JsonObject): LayerCall {
  const kwargs = field(node, 'kwargs');
  const sequences = field(kwargs, 'sequences') ?? field(kwargs, 'inputs');
  const positional = tensorsIn(field(node, 'args'));
  return {
    inputs: positional.length > 0 ? positional : tensorsIn(sequences),
    initialState: tensorsIn(field(kwargs, 'initial_state')),
  };
}

/** Keras 2: a list of `[layer, call, tensor, kwargs]`, or one such list. */
function readOldCall(node: JsonValue): LayerCall {
  const inputs = addressesIn(node);
  const first = isArray(node) ? (isAddress(node) ? node : node[0]) : undefined;
  const kwargs = isArray(first) ? first[3] : undefined;
  return { inputs, initialState: addressesIn(field(kwargs, 'initial_state')) };
}

/**
 * Tensors of Keras 3 anywhere in a value, in order.
 *
 * @param value - Arguments of a call.
 */
function tensorsIn(value: JsonValue | undefined): readonly TensorAddress[] {
  if (isArray(value)) return value.flatMap(tensorsIn);
  if (!isObject(value)) return [];
  if (stringField(value, 'class_name') === '__keras_tensor__') {
    const history = field(field(value, 'config'), 'keras_history');
    return isArray(history) && isAddress(history) ? [toAddress(history)] : [];
  }
  return Object.keys(value).flatMap((key) => tensorsIn(field(value, key)));
}

/**
 * Addresses of the form `[name, call, tensor]` anywhere in nested lists or objects, in order.
 *
 * @param value - `input_layers`, `output_layers`, or a call of Keras 2.
 */
export function addressesIn(value: JsonValue | undefined): readonly TensorAddress[] {
  if (isArray(value)) return isAddress(value) ? [toAddress(value)] : value.flatMap(addressesIn);
  if (!isObject(value)) return [];
  return Object.keys(value).flatMap((key) => addressesIn(field(value, key)));
}

function isAddress(value: readonly JsonValue[]): boolean {
  return typeof value[0] === 'string' && typeof value[1] === 'number' && typeof value[2] === 'number';
}

function toAddress(value: readonly JsonValue[]): TensorAddress {
  return { layer: String(value[0]), call: Number(value[1]), tensor: Number(value[2]) };
}
