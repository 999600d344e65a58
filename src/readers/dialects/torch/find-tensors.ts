/**
 * All tensors that an unpickled value holds, by where they stand in it; modules saved whole, and checkpoints that wrap a
 * state dict, are opened for it.
 */
import {
  PickleGlobal,
  PickleObject,
  PicklePersistent,
  PickleTuple,
  type PickleValue,
} from '../../containers/pickle-values';
import { checkLimit } from '../../limits';
import { OBJECT_BYTES } from '../../object-count';
import type { StoredTensor } from '../../stored-tensor';
import { isPacked, packedParts } from './packed-weights';
import { tensorOf } from './pickled-tensors';
import { entriesOf, itemsOf, pathOf } from './records';
import type { TorchFile } from './storages';

/** A tensor, or a module, where it stands. */
export interface Placed<T> {
  /** Keys of dictionaries, names of modules and parameters. */
  readonly path: readonly string[];
  /** So many parts of the path are keys of a checkpoint, around a state dict or a module. */
  readonly wrappers: number;
  readonly value: T;
}

/** A recurrent module saved whole, as its attributes tell it. */
export interface PickledModule {
  /** `torch.nn.modules.rnn.LSTM`; of TorchScript the qualified name. */
  readonly className: string;
  /** `RNN`, `LSTMCell`. */
  readonly kind: string;
  /** `tanh`, `relu`; null where no attribute says it. */
  readonly nonlinearity: string | null;
}

/** What was found. */
export interface TorchContent {
  readonly tensors: readonly Placed<StoredTensor>[];
  readonly modules: readonly Placed<PickledModule>[];
  /** Dotted names of the classes of all modules, where they stand. */
  readonly classes: readonly Placed<string>[];
  /** Packed weights of a kind that is not read. */
  readonly hasUnreadPacked: boolean;
}

/** State of training, which has tensors of the shapes of weights; a module of such a name is a module. */
const TRAINING_ONLY =
  /^(optim\w*|[^.]*optimi[sz]er[^.]*|[^.]*sched(uler)?s?(_state_dict)?|scaler|amp|(cuda_)?rng_\w*|exp_avg\w*|callbacks|loops|hyper_parameters|hparams)$/i;

/** A tensor and its place. */
const TENSOR_BYTES = 2 * OBJECT_BYTES.record;

/** Deeper than any model nests modules. */
const MAX_DEPTH = 200;

/**
 * The tensors of an unpickled value.
 *
 * @param value - The value.
 * @param file - The file.
 * @throws TempogradError `reader/corrupt`, `reader/limit-exceeded`.
 */
export function findTensors(value: PickleValue, file: TorchFile): TorchContent {
  const walker = new Walker(file);
  walker.walk(value, { parts: [], length: 0, depth: 0, wrappers: 0, isInside: false });
  return walker;
}

interface Position {
  readonly parts: readonly string[];
  /** Characters of all parts. */
  readonly length: number;
  readonly depth: number;
  readonly wrappers: number;
  /** Below a module: what follows are names of its parts. */
  readonly isInside: boolean;
}

class Walker implements TorchContent {
  readonly tensors: Placed<StoredTensor>[] = [];
  readonly modules: Placed<PickledModule>[] = [];
  readonly classes: Placed<string>[] = [];
  hasUnreadPacked = false;
  readonly #file: TorchFile;
  readonly #seen = new Set<PickleValue>();
  #nameBytes = 0;

  constructor(file: TorchFile) {
    this.#file = file;
  }

  /** Containers are entered once, however often and however deep they refer to one another. */
  walk(value: PickleValue, at: Position): void {
    if (typeof value !== 'object' || value === null || value instanceof PickleGlobal) return;
    const tensor = tensorOf(value, () => this.#nameAt(at), this.#file);
    if (tensor) {
      const count = this.tensors.length + 1;
      checkLimit(`Number of tensors in ${this.#file.name}`, count, 'maxNamedTensors', this.#file.limits);
      this.#file.limits.objects.add(TENSOR_BYTES + OBJECT_BYTES.entry * at.parts.length + at.length);
      const wrappers = at.isInside ? at.wrappers : Math.max(at.parts.length - 1, 0);
      this.tensors.push({ path: at.parts, wrappers, value: tensor });
      return;
    }
    if (at.depth > MAX_DEPTH || this.#seen.has(value)) return;
    this.#seen.add(value);
    const entries = entriesOf(value);
    if (entries) this.#enter(entries, at);
    else if (isPacked(value)) this.#enterPacked(value, at);
    else if (value instanceof PickleObject) this.#enterObject(value, at);
    else if (Array.isArray(value) || value instanceof PickleTuple) {
      for (const [index, item] of itemsOf(value).entries()) this.walk(item, below(at, String(index)));
    }
  }

  #nameAt(at: Position): string {
    this.#nameBytes += at.length + at.parts.length;
    checkLimit(`Names of tensors in ${this.#file.name}`, this.#nameBytes, 'maxNameBytes', this.#file.limits);
    return at.parts.join('.');
  }

  #enter(entries: ReadonlyMap<string, PickleValue>, at: Position): void {
    for (const [key, item] of entries) {
      if (at.isInside || !TRAINING_ONLY.test(key)) this.walk(item, below(at, key));
    }
  }

  #enterPacked(value: PickleObject, at: Position): void {
    const parts = packedParts(value);
    if (!parts) {
      this.hasUnreadPacked = true;
      return;
    }
    const inside = at.isInside ? at : { ...at, wrappers: Math.max(at.parts.length - 1, 0), isInside: true };
    for (const [name, item] of parts) this.walk(item, below(inside, name));
  }

  /** A module keeps its tensors and its parts in dictionaries of their own; a scripted one as attributes. */
  #enterObject(value: PickleObject, at: Position): void {
    const attributes = entriesOf(value.state) ?? entriesOf(itemsOf(value.state)[0] ?? null);
    if (!attributes) {
      for (const item of [...itemsOf(value.args), ...value.items]) this.walk(item, { ...at, depth: at.depth + 1 });
      return;
    }
    const inside = at.isInside ? at : { ...at, wrappers: at.parts.length, isInside: true };
    const className = classOf(value);
    const parts = ['_parameters', '_buffers', '_modules'].map((name) => entriesOf(attributes.get(name) ?? null));
    const isModule = parts.some((part) => part !== null);
    if (isModule || className.startsWith('__torch__.')) {
      this.classes.push({ path: at.parts, wrappers: inside.wrappers, value: className });
    }
    const module = moduleOf(className, attributes);
    if (module) this.modules.push({ path: at.parts, wrappers: inside.wrappers, value: module });
    if (isModule) {
      for (const part of parts) if (part) this.#enter(part, inside);
      for (const [key, item] of attributes) if (isPacked(item)) this.walk(item, below(inside, key));
      return;
    }
    for (const [key, item] of attributes) {
      // The same tensors once more, as a list.
      if (key !== '_flat_weights') this.walk(item, below(inside, key));
    }
  }
}

function below(at: Position, key: string): Position {
  return { ...at, parts: [...at.parts, key], length: at.length + key.length, depth: at.depth + 1 };
}

/** The dotted name of an object's class, also where `copyreg` makes it, or its source text stands beside it. */
function classOf({ callable, args }: PickleObject): string {
  if (callable instanceof PicklePersistent) {
    const [kind, type] = itemsOf(callable.id);
    return kind === 'module' ? pathOf(type ?? null) : '';
  }
  const path = pathOf(callable);
  return /^copy_?reg\._reconstructor$/.test(path) ? pathOf(itemsOf(args)[0] ?? null) : path;
}

/** What a recurrent module says of itself; null for any other object. */
function moduleOf(className: string, attributes: ReadonlyMap<string, PickleValue>): PickledModule | null {
  const kind = /\btorch\.nn\.modules\.rnn\.(?:___torch_mangle_\d+\.)?((?:RNN|LSTM|GRU)(?:Cell)?)$/.exec(className)?.[1];
  if (kind === undefined) return null;
  const text = (key: string): string | null => {
    const value = attributes.get(key);
    return typeof value === 'string' ? value : null;
  };
  const mode = text('mode');
  const said = text('nonlinearity') ?? (mode === 'RNN_RELU' ? 'relu' : mode === 'RNN_TANH' ? 'tanh' : null);
  return { className, kind, nonlinearity: said === 'tanh' || said === 'relu' ? said : null };
}
