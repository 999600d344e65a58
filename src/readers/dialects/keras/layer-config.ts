/**
 * One entry of a model's list of layers: its class, its name and its calls, in the words of both generations.
 */
import { TempogradError } from '../../../core/errors';
import { field, isArray, isObject, stringField, type JsonObject, type JsonValue } from '../../json';

const MODEL_CLASSES = new Set(['Sequential', 'Functional', 'Model']);
const UNKNOWN_CLASS = 'unknown';

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
  /** A function of `keras.ops` that was called on tensors, not a layer. */
  readonly isOperation: boolean;
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
  readonly mask: readonly TensorAddress[];
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
  const className = stringField(value, 'class_name') ?? UNKNOWN_CLASS;
  return {
    className: className.replace(/^(Keras|keras)>/, ''),
    name: stringField(value, 'name') ?? stringField(settings, 'name') ?? `layer_${String(position)}`,
    config: settings,
    entry: isObject(value) ? value : {},
    foreignModule: foreignModule(value),
    isOperation: isOperation(value),
  };
}

/**
 * True for an entry that is a model itself, its layers listed in its configuration.
 *
 * @param entry - The entry.
 */
export function isModelEntry(entry: LayerEntry): boolean {
  const listed = isArray(field(entry.entry, 'config')) || isArray(field(entry.config, 'layers'));
  return entry.foreignModule === null && MODEL_CLASSES.has(entry.className) && listed;
}

/**
 * A model's entry, null for a class of the user's own, whose layers are known to its code only.
 *
 * @param model - `{ class_name, config }`
 * @throws TempogradError `reader/corrupt` when it should list layers and does not.
 */
export function readModelEntry(model: JsonObject): LayerEntry | null {
  const entry = readEntry(model, 0);
  if (isModelEntry(entry)) return entry;
  const isOwn =
    entry.foreignModule === null && (MODEL_CLASSES.has(entry.className) || entry.className === UNKNOWN_CLASS);
  if (isOwn) throw new TempogradError('reader/corrupt', `The model of the class ${entry.className} lists no layers`);
  return null;
}

/** In a `.keras` file the module tells; in an `.h5` of Keras 3 only that every layer says whether it is trainable. */
function isOperation(value: JsonValue): boolean {
  const module = stringField(value, 'module');
  if (module !== null) return /^keras(\.src)?\.ops\./.test(module);
  const nodes = field(value, 'inbound_nodes');
  const isNew = isArray(nodes) && nodes.length > 0 && isObject(nodes[0]);
  return (
    isNew &&
    field(field(value, 'config'), 'trainable') === undefined &&
    field(field(value, 'config'), 'layers') === undefined
  );
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
 * @param className - Its class; recurrent ones take a mask as their third argument.
 */
export function readCalls(entry: JsonObject, className: string): readonly LayerCall[] {
  const nodes = field(entry, 'inbound_nodes');
  return isArray(nodes) ? nodes.map((node) => (isObject(node) ? readNewCall(node, className) : readOldCall(node))) : [];
}

/** Arguments that are not what a layer is computed from. */
const SIDE_ARGUMENTS = new Set(['mask', 'initial_state', 'training', 'attention_mask']);

/** Keras 3: `{ args, kwargs }` with tensors as objects. */
function readNewCall(node: JsonObject, className: string): LayerCall {
  const kwargs = field(node, 'kwargs');
  const args = field(node, 'args');
  const positional = isArray(args) ? args : [];
  const takesMask = TAKES_MASK.has(className);
  const inputs = tensorsIn(takesMask ? positional.slice(0, 2) : positional);
  const named = isObject(kwargs) ? Object.keys(kwargs).filter((name) => !SIDE_ARGUMENTS.has(name)) : [];
  return {
    inputs: inputs.length > 0 ? inputs : named.flatMap((name) => tensorsIn(field(kwargs, name))),
    initialState: tensorsIn(field(kwargs, 'initial_state')),
    mask: [...tensorsIn(field(kwargs, 'mask')), ...(takesMask ? tensorsIn(positional.slice(2)) : [])],
  };
}

/** Layers called as `layer(sequence, initial_state, mask)`. */
const TAKES_MASK = new Set(['SimpleRNN', 'LSTM', 'GRU', 'RNN', 'Bidirectional']);

/** Keras 2: a list of `[layer, call, tensor, kwargs]`, or one such list. */
function readOldCall(node: JsonValue): LayerCall {
  const first = isArray(node) ? (isAddress(node) ? node : node[0]) : undefined;
  const kwargs = isArray(first) ? first[3] : undefined;
  return {
    inputs: addressesIn(node),
    initialState: addressesIn(field(kwargs, 'initial_state')),
    mask: addressesIn(field(kwargs, 'mask')),
  };
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
