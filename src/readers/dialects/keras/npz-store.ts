/**
 * Weights of a `.keras` archive as NumPy keeps them: `model.weights.npz`, an array of one Python object for each group.
 *
 * Each such array is a pickle of a dictionary `{"0": variable, "1": variable}`. It is read by the inert interpreter of
 * pickles, and one that would import more than variables are made of is refused whole. The result has the groups of a
 * `.weights.h5`.
 * Source: keras/src/saving/saving_lib.py (NpzIOStore); numpy/lib/format.py (arrays of objects).
 */
import { TempogradError } from '../../../core/errors';
import type { Hdf5Dataset, Hdf5File } from '../../containers/hdf5';
import type { ByteSource } from '../../byte-source';
import { pickleOfNpy } from '../../containers/npy';
import { unpickle } from '../../containers/pickle';
import { PickleObject, type PickleGlobal, type PickleValue } from '../../containers/pickle-values';
import type { ZipArchive } from '../../containers/zip';
import { checkLimit, type CountedLimits } from '../../limits';
import { OBJECT_BYTES } from '../../object-count';
import type { StoredTensor } from '../../stored-tensor';
import { foreignNames } from '../torch/foreign-names';
import { tensorOf } from '../torch/pickled-tensors';
import { entriesOf, itemsOf, pathOf } from '../torch/records';
import type { TorchFile } from '../torch/storages';

const SUFFIX = '.npy';
/** The group of the model itself. */
const ROOT = '__root__';
const VARIABLES = 'vars';

/** Names that a variable of Keras is made of on its backends, beside plain data. */
const VARIABLE =
  /^(keras\.src\.(backend|regularizers|constraints|initializers)\b|jax\._src\.array\._reconstruct_array$|functools\.partial$|tensorflow\.python\.(ops|framework|trackable)\.|ml_dtypes\.)/;

const MAX_NAMES = 12;

/** A variable, its place, and what is made to look for layers. */
const VARIABLE_BYTES = 12 * OBJECT_BYTES.record;
const GROUP_BYTES = 2 * OBJECT_BYTES.dictionary + 3 * OBJECT_BYTES.record;

interface Group {
  readonly inner: Set<string>;
  readonly tensors: Map<string, StoredTensor>;
  readonly address: bigint;
}

/**
 * The groups and variables of a weights archive, under the paths that they have in a `.weights.h5`.
 *
 * @param archive - The archive of arrays.
 * @param what - Its name, for messages.
 * @param limits - Caps.
 * @throws TempogradError `reader/unsafe` for a pickle that would import more than variables, `reader/corrupt`,
 * `reader/truncated`, `reader/limit-exceeded`.
 */
export async function openNpzStore(archive: ZipArchive, what: string, limits: CountedLimits): Promise<Hdf5File> {
  const groups = new Map<string, Group>();
  const groupAt = (path: string): Group => {
    const known = groups.get(path);
    if (known) return known;
    const made: Group = { inner: new Set(), tensors: new Map(), address: BigInt(groups.size) };
    groups.set(path, made);
    checkLimit(`Groups of ${what}`, groups.size, 'maxNamedTensors', limits);
    limits.objects.add(GROUP_BYTES + 2 * path.length);
    if (path !== '') groupAt(path.slice(0, Math.max(path.lastIndexOf('/'), 0))).inner.add(lastOf(path));
    return made;
  };
  let characters = 0;
  let variables = 0;
  groupAt('');
  const open = (): Promise<ByteSource> => Promise.reject(corrupt(what, 'a storage', 'is not in it'));
  const file: TorchFile = { name: what, littleEndian: true, limits, open, nested: new Map() };
  for (const entry of archive.names) {
    const path = entry.endsWith(SUFFIX) ? entry.slice(0, -SUFFIX.length) : entry;
    limits.objects.add(archive.inflatedBytes(entry));
    const pickle = pickleOfNpy(await archive.open(entry), `${what}: ${path}`);
    if (!pickle) throw corrupt(what, path, 'is no array of one Python object');
    const holder = path === ROOT ? VARIABLES : `${path}/${VARIABLES}`;
    checkLimit(
      `Groups inside groups of ${what}`,
      holder.split('/', limits.maxHdf5Depth + 2).length,
      'maxHdf5Depth',
      limits,
    );
    const group = groupAt(holder);
    const { value, globals } = unpickle(pickle, 0, `${what}: ${path}`, limits);
    refuseForeign(globals, `${what}: ${path}`);
    for (const [name, item] of dictionaryOf(value, what, path)) {
      characters += holder.length + name.length + 1;
      checkLimit(`Variables of ${what}`, ++variables, 'maxNamedTensors', limits);
      checkLimit(`Names of the variables of ${what}`, characters, 'maxNameBytes', limits);
      limits.objects.add(VARIABLE_BYTES + holder.length + name.length);
      const tensor = tensorOf(numbersOf(item), () => `${holder}/${name}`, file);
      if (tensor) group.tensors.set(name, tensor);
    }
  }
  return asFile(groups, what);
}

function refuseForeign(globals: readonly PickleGlobal[], what: string): void {
  const foreign = foreignNames(globals).filter((path) => !VARIABLE.test(path));
  if (foreign.length === 0) return;
  throw new TempogradError(
    'reader/unsafe',
    `${what} would import ${foreign.slice(0, MAX_NAMES).join(', ')}; nothing of it was looked up or run`,
    { details: { globals: foreign.slice(0, MAX_NAMES) } },
  );
}

/** The array of a variable: kept as it is, or in the variable of JAX, TensorFlow or PyTorch that Keras wraps. */
function numbersOf(stored: PickleValue): PickleValue {
  const isVariable =
    stored instanceof PickleObject && /^keras\.src\.backend\b.*Variable$/.test(pathOf(stored.callable));
  const item = isVariable ? (entriesOf(stored.state)?.get('_value') ?? null) : stored;
  if (!(item instanceof PickleObject)) return item;
  if (pathOf(item.callable) === 'jax._src.array._reconstruct_array') {
    const [callable = null, args = null, state = null] = itemsOf(item.args);
    const array = new PickleObject(callable, args);
    array.state = state;
    return array;
  }
  const partial = item.callable;
  if (!(partial instanceof PickleObject) || pathOf(partial.callable) !== 'functools.partial') return item;
  // tensorflow's ResourceVariable: functools.partial(ResourceVariable, initial_value=..)().
  return entriesOf(itemsOf(partial.state)[2] ?? null)?.get('initial_value') ?? null;
}

/** The object of an array without axes: `_reconstruct(..)` filled with `(version, shape, dtype, is Fortran, [object])`. */
function dictionaryOf(value: PickleValue, what: string, path: string): ReadonlyMap<string, PickleValue> {
  const isArray = value instanceof PickleObject && /multiarray\._reconstruct$/.test(pathOf(value.callable));
  const objects = isArray ? itemsOf(itemsOf(value.state)[4] ?? null) : [];
  const entries = objects.length === 1 ? entriesOf(objects[0] ?? null) : null;
  if (!entries) throw corrupt(what, path, 'holds no dictionary of variables');
  return entries;
}

function asFile(groups: ReadonlyMap<string, Group>, what: string): Hdf5File {
  const groupOf = (path: string): Group | undefined => groups.get(path.replace(/^\/+/, ''));
  const tensorAt = (path: string): StoredTensor | undefined => {
    const at = path.lastIndexOf('/');
    return groupOf(path.slice(0, Math.max(at, 0)))?.tensors.get(path.slice(at + 1));
  };
  const groupAt = (path: string): Group => {
    const group = groupOf(path);
    if (!group) throw corrupt(what, path, 'is missing');
    return group;
  };
  return {
    kindOf: (path) => Promise.resolve(groupOf(path) ? 'group' : tensorAt(path) ? 'dataset' : 'missing'),
    list: async (path) => {
      const { inner, tensors } = await Promise.resolve(groupAt(path));
      return [...inner, ...tensors.keys()];
    },
    address: async (path) => (await Promise.resolve(groupAt(path))).address,
    attribute: () => Promise.resolve(null),
    dataset: async (path): Promise<Hdf5Dataset> => {
      const tensor = await Promise.resolve(tensorAt(path));
      if (!tensor) throw corrupt(what, path, 'is missing');
      return { ...tensor, path };
    },
  };
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function corrupt(what: string, path: string, reason: string): TempogradError {
  return new TempogradError('reader/corrupt', `${what}: ${path} ${reason}`, { details: { path } });
}
