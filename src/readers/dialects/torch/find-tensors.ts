/**
 * All tensors that an unpickled value holds, by their names in a state dict; modules saved whole, and checkpoints that wrap a
 * state dict, are opened for it.
 */
import { checkLimit, type ReadLimits } from '../../limits';
import type { StoredTensor } from '../../stored-tensor';
import { PickleGlobal, PickleObject, PickleTuple, type PickleValue } from '../../containers/pickle-values';
import { entriesOf, itemsOf, pathOf, tensorOf, type TorchFile } from './pickled-tensors';
import type { ModuleFacts } from './read-modules';

/** What was found. */
export interface TorchContent {
  readonly tensors: readonly StoredTensor[];
  /** What modules saved whole say of themselves, by prefix. */
  readonly modules: ReadonlyMap<string, ModuleFacts>;
}

/** State of training, which has tensors of the shapes of weights. */
const TRAINING_ONLY =
  /^(optim\w*|.*optimi[sz]er.*|scheduler|lr_sched\w*|scaler|amp|rng_state|cuda_rng\w*|exp_avg\w*)$/i;

/** What wrappers put before every name: DataParallel, torch.compile. */
const WRAPPER_PREFIX = /^(module|_orig_mod)\./;

/** Deeper than any model nests modules. */
const MAX_DEPTH = 200;

interface Found {
  readonly path: readonly string[];
  readonly tensor: StoredTensor;
}

/**
 * The tensors of an unpickled value.
 *
 * @param value - The value.
 * @param file - The file.
 * @param limits - Caps.
 * @throws TempogradError `reader/corrupt`, `reader/limit-exceeded`.
 */
export function findTensors(value: PickleValue, file: TorchFile, limits: ReadLimits): TorchContent {
  const walker = new Walker(file, limits);
  walker.walk(value, [], 0);
  const groups = stripWrappers(walker.found);
  const modules = new Map([...walker.modules].map(([prefix, facts]) => [stripPrefix(prefix, groups.dropped), facts]));
  return { tensors: groups.tensors, modules };
}

class Walker {
  readonly found: Found[] = [];
  readonly modules = new Map<string, ModuleFacts>();
  readonly #file: TorchFile;
  readonly #limits: ReadLimits;
  readonly #seen = new Set<PickleValue>();

  constructor(file: TorchFile, limits: ReadLimits) {
    this.#file = file;
    this.#limits = limits;
  }

  /** Containers are entered once, however often and however deep they refer to one another. */
  walk(value: PickleValue, path: readonly string[], depth: number): void {
    if (typeof value !== 'object' || value === null || value instanceof PickleGlobal) return;
    const tensor = tensorOf(value, path.join('.'), this.#file);
    if (tensor) {
      checkLimit(`Number of tensors in ${this.#file.name}`, this.found.length + 1, 'maxNamedTensors', this.#limits);
      this.found.push({ path, tensor });
      return;
    }
    if (depth > MAX_DEPTH || this.#seen.has(value)) return;
    this.#seen.add(value);
    const entries = entriesOf(value);
    if (entries) this.#enter(entries, path, depth);
    else if (value instanceof PickleObject) this.#enterObject(value, path, depth);
    else if (Array.isArray(value) || value instanceof PickleTuple) {
      for (const [index, item] of itemsOf(value).entries()) this.walk(item, [...path, String(index)], depth + 1);
    }
  }

  #enter(entries: ReadonlyMap<string, PickleValue>, path: readonly string[], depth: number): void {
    for (const [key, item] of entries) {
      if (!TRAINING_ONLY.test(key)) this.walk(item, [...path, key], depth + 1);
    }
  }

  /** A module keeps its tensors and its parts in dictionaries of their own; a scripted one as attributes. */
  #enterObject(value: PickleObject, path: readonly string[], depth: number): void {
    const attributes = entriesOf(value.state) ?? entriesOf(itemsOf(value.state)[0] ?? null);
    if (!attributes) {
      for (const item of [...itemsOf(value.args), ...value.items]) this.walk(item, path, depth + 1);
      return;
    }
    const facts = factsOf(classOf(value), attributes);
    if (facts) this.modules.set(path.join('.'), facts);
    const parts = ['_parameters', '_buffers', '_modules'].map((name) => entriesOf(attributes.get(name) ?? null));
    if (parts.some((part) => part !== null)) {
      for (const part of parts) if (part) this.#enter(part, path, depth);
    } else this.#enter(attributes, path, depth);
  }
}

/** The dotted name of an object's class, also where `copyreg` makes it. */
function classOf({ callable, args }: PickleObject): string {
  const path = pathOf(callable);
  return /^copy_?reg\._reconstructor$/.test(path) ? pathOf(itemsOf(args)[0] ?? null) : path;
}

/** What a recurrent module says of itself; null for any other object. */
function factsOf(className: string, attributes: ReadonlyMap<string, PickleValue>): ModuleFacts | null {
  const name = /torch\.nn\.modules\.rnn\.((?:RNN|LSTM|GRU)(?:Cell)?)$/.exec(className)?.[1];
  if (name === undefined) return null;
  const text = (key: string): string | null => {
    const value = attributes.get(key);
    return typeof value === 'string' ? value : null;
  };
  const mode = text('mode');
  const nonlinearity = text('nonlinearity') ?? (mode === 'RNN_RELU' ? 'relu' : mode === 'RNN_TANH' ? 'tanh' : null);
  return { className: `nn.${name}`, nonlinearity: /^(tanh|relu)$/.test(nonlinearity ?? '') ? nonlinearity : null };
}

/** Names as a state dict has them: what wraps the one dictionary of tensors is left out, and so is `module.`. */
function stripWrappers(found: readonly Found[]): {
  readonly tensors: readonly StoredTensor[];
  readonly dropped: string;
} {
  const first = found[0]?.path.slice(0, -1) ?? [];
  let common = first.length;
  for (const { path } of found) {
    let same = 0;
    while (same < common && path[same] === first[same]) same++;
    common = same;
  }
  // A module's own name is told from a checkpoint's key by the dots of a state dict below it.
  const isWrapped = found.every(({ path }) => path.slice(common).some((part) => part.includes('.')) || common === 0);
  const dropped = isWrapped || isCheckpointKey(first.slice(0, common)) ? first.slice(0, common).join('.') : '';
  const names = found.map(({ path }) => stripPrefix(path.join('.'), dropped));
  const hasPrefix = names.length > 0 && names.every((name) => WRAPPER_PREFIX.test(name));
  const tensors = found.map(({ tensor }, index) => {
    const name = names[index] ?? tensor.name;
    return { ...tensor, name: hasPrefix ? name.replace(WRAPPER_PREFIX, '') : name };
  });
  return { tensors, dropped };
}

/** Keys under which training scripts keep a state dict. */
const CHECKPOINT_KEY = /^(state_dict|model|model_state(_dict)?|net|network|module|weights|params|ema|\w+_state_dict)$/i;

function isCheckpointKey(path: readonly string[]): boolean {
  return path.length > 0 && path.every((part) => CHECKPOINT_KEY.test(part));
}

function stripPrefix(name: string, prefix: string): string {
  return prefix !== '' && name.startsWith(`${prefix}.`) ? name.slice(prefix.length + 1) : name;
}
