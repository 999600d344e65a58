/**
 * PyTorch files: a ZIP archive with a pickle and its storages, the same as a TorchScript archive, or the layout before
 * PyTorch 1.6, pickles and storages one behind the other.
 *
 * Source: torch/serialization.py (`_load`, `_legacy_load`).
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel, Warning } from '../../core/model';
import { sliceSource, type ByteSource } from '../byte-source';
import { unpickle } from '../containers/pickle';
import type { PickleGlobal, PickleValue } from '../containers/pickle-values';
import type { ZipArchive } from '../containers/zip';
import { readNamedWeights } from '../dialects/named-weights';
import { findTensors } from '../dialects/torch/find-tensors';
import { entriesOf, itemsOf, type TorchFile, type TorchStorage } from '../dialects/torch/pickled-tensors';
import { collectStorages } from '../dialects/torch/storages';
import type { FormatOptions } from '../reading';
import { itemBytesOf } from '../stored-numbers';
import type { ModelFile, ModelFormat } from './format';

/** The first value of a file before PyTorch 1.6. */
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;
const COUNT_BYTES = 8;

/** A file of `torch.save` or `torch.jit.save`; any other pickle is named for what it is. */
export const torch: ModelFormat = {
  id: 'torch',
  matches: ({ container, archive }) =>
    container.kind === 'pickle' || (archive !== null && pickleEntry(archive) !== null),
  read: readTorch,
};

/** An unpickled file. */
interface Content {
  readonly producer: string;
  readonly value: PickleValue;
  readonly globals: readonly PickleGlobal[];
  readonly file: TorchFile;
}

async function readTorch(file: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  const {
    producer,
    value,
    globals,
    file: storages,
  } = file.archive ? await openArchive(file.archive, file.name, options) : openPickle(file, options);
  const { tensors, modules } = findTensors(value, storages, options.limits);
  const foreign = globals.filter((global) => !isKnown(global)).map(({ path }) => path);
  if (tensors.length === 0) throw withoutTensors(file.name, foreign);
  return readNamedWeights('torch', producer, tensors, options, modules, foreignWarnings(foreign));
}

/** `archive/data.pkl`; null when the archive is none of PyTorch's. */
function pickleEntry(archive: ZipArchive): string | null {
  const found = archive.names.filter((name) => /^([^/]+\/)?data\.pkl$/.test(name));
  return found.length === 1 ? (found[0] ?? null) : null;
}

async function openArchive(archive: ZipArchive, name: string, options: FormatOptions): Promise<Content> {
  const entry = pickleEntry(archive);
  if (entry === null) throw new Error('a PyTorch archive has a pickle');
  const base = entry.slice(0, -'data.pkl'.length);
  const { value, globals } = unpickle(await archive.open(entry), 0, `${name}: ${entry}`, options.limits);
  const order = archive.has(`${base}byteorder`) ? new TextDecoder().decode(await archive.read(`${base}byteorder`)) : '';
  const isScript = archive.names.some((part) => part.startsWith(`${base}code/`));
  const open = async ({ key }: TorchStorage): Promise<ByteSource> => {
    const part = `${base}data/${key}`;
    if (archive.has(part)) return archive.open(part);
    throw new TempogradError('reader/corrupt', `${name} refers to the storage ${key}, which it does not hold`, {
      details: { storage: key },
    });
  };
  return {
    producer: isScript ? 'PyTorch (TorchScript)' : 'PyTorch',
    value,
    globals,
    file: { name, littleEndian: !order.startsWith('big'), open },
  };
}

function openPickle({ source, name }: ModelFile, options: FormatOptions): Content {
  const first = unpickle(source, 0, name, options.limits);
  if (first.value !== LEGACY_MAGIC) {
    const none = (): Promise<ByteSource> =>
      Promise.reject(new TempogradError('reader/corrupt', `${name} refers to a storage, but is a bare pickle`));
    return {
      producer: 'a Python pickle',
      value: first.value,
      globals: first.globals,
      file: { name, littleEndian: true, open: none },
    };
  }
  const protocol = unpickle(source, first.end, name, options.limits);
  if (protocol.value !== LEGACY_PROTOCOL) {
    throw new TempogradError('reader/unknown-format', `${name} has an unknown protocol of PyTorch's old layout`);
  }
  const system = unpickle(source, protocol.end, name, options.limits);
  const object = unpickle(source, system.end, name, options.limits);
  const keys = unpickle(source, object.end, name, options.limits);
  const littleEndian = entriesOf(system.value)?.get('little_endian') !== false;
  const places = placeStorages(source, keys, collectStorages(object.value), littleEndian, name);
  return {
    producer: 'PyTorch (layout before 1.6)',
    value: object.value,
    globals: object.globals,
    file: {
      name,
      littleEndian,
      open: ({ key }) => {
        const place = places.get(key);
        if (place) return Promise.resolve(place);
        return Promise.reject(
          new TempogradError('reader/corrupt', `${name} refers to the storage ${key}, which it does not hold`),
        );
      },
    },
  };
}

/** Storages stand behind the list of their keys, each behind its number of elements. */
function placeStorages(
  source: ByteSource,
  keys: { readonly value: PickleValue; readonly end: number },
  storages: ReadonlyMap<string, TorchStorage>,
  littleEndian: boolean,
  name: string,
): ReadonlyMap<string, ByteSource> {
  const places = new Map<string, ByteSource>();
  let at = keys.end;
  for (const key of itemsOf(keys.value)) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (typeof key !== 'string' || !storage) {
      throw new TempogradError('reader/corrupt', `${name} lists a storage that no tensor refers to`);
    }
    const head = source.read(at, COUNT_BYTES);
    const count = Number(new DataView(head.buffer, head.byteOffset, COUNT_BYTES).getBigInt64(0, littleEndian));
    if (count !== storage.count) {
      throw new TempogradError(
        'reader/corrupt',
        `Storage ${key} of ${name} has ${String(count)} elements, its tensors say ${String(storage.count)}`,
      );
    }
    const bytes = count * (itemBytesOf(storage.dtype ?? 'uint8') ?? 1);
    places.set(key, sliceSource(source, at + COUNT_BYTES, bytes));
    at += COUNT_BYTES + bytes;
  }
  return places;
}

/** Names that stand for data, and that a reading has a meaning for. */
function isKnown({ module, name }: PickleGlobal): boolean {
  if (module === 'collections') return name === 'OrderedDict' || name === 'defaultdict';
  if (module === '_codecs') return name === 'encode';
  // Plain values by name, and the maker of plain objects, neither of which is called.
  if (/^(__builtin__|builtins)$/.test(module))
    return /^(set|frozenset|list|dict|tuple|int|float|str|bytes|bytearray|complex|bool|object|slice|range)$/.test(name);
  if (/^copy_?reg$/.test(module)) return name === '_reconstructor';
  if (module === 'torch')
    return /Storage$|^(Size|device|dtype)$|^(b?float|double|half|u?int|bool|complex)\d*$/.test(name);
  if (module === 'torch._utils') return name.startsWith('_rebuild_');
  if (module === 'torch._tensor') return name === '_rebuild_from_type_v2';
  if (/^numpy(\._?core\.multiarray)?$/.test(module)) return /^(dtype|ndarray|scalar|_reconstruct)$/.test(name);
  if (module === 'torch.nn.parameter' || module === 'torch.storage') return true;
  return module === 'torch.jit._pickle';
}

/** Classes of PyTorch and of the user's own are records like any other: what they compute is not in the file. */
function isModuleClass(path: string): boolean {
  return /^(torch\.nn\.|__torch__|__main__\.[A-Z])/.test(path);
}

const MAX_NAMES = 12;

function foreignWarnings(foreign: readonly string[]): readonly Warning[] {
  const classes = foreign.filter(isModuleClass);
  const others = foreign.filter((path) => !isModuleClass(path));
  const warnings: Warning[] = [];
  if (classes.length > 0) {
    warnings.push({
      code: 'cell/unsupported',
      message: `Classes that were not loaded, because they are code: ${listOf(classes)}`,
      remedy: 'Recurrent layers are told from their tensors; each is analysed on its own input.',
    });
  }
  if (others.length > 0) {
    warnings.push({
      code: 'reader/unsafe',
      message: `The file would import ${listOf(others)}; nothing of it was looked up or run`,
      remedy: 'Do not load this file in Python unless you trust its author; ask for a safetensors file.',
    });
  }
  return warnings;
}

function listOf(paths: readonly string[]): string {
  const more = paths.length - MAX_NAMES;
  return `${paths.slice(0, MAX_NAMES).join(', ')}${more > 0 ? ` and ${String(more)} more` : ''}`;
}

function withoutTensors(name: string, foreign: readonly string[]): TempogradError {
  if (foreign.some((path) => /^(keras|tf_keras|tensorflow)\b/.test(path))) {
    return new TempogradError('reader/unknown-format', `${name} is a pickle of a Keras model, which is code`, {
      remedy: "Save the model with its own save method, as model.save('model.keras').",
      details: { globals: foreign.slice(0, 100) },
    });
  }
  if (foreign.length > 0) {
    return new TempogradError(
      'reader/unsafe',
      `${name} holds no tensor, and would import ${listOf(foreign)}; nothing of it was looked up or run`,
      { details: { globals: foreign.slice(0, 100) } },
    );
  }
  return new TempogradError('reader/unknown-format', `${name} is a Python pickle without tensors, not a model`);
}
