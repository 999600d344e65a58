/**
 * PyTorch files: a ZIP archive with a pickle and its storages, the same as a TorchScript archive, an archive of
 * `torch.export`, a bare pickle, or the layout before PyTorch 1.6.
 *
 * Source: torch/serialization.py (`_load`, `_legacy_load`).
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel } from '../../core/model';
import type { ByteSource } from '../byte-source';
import { unpickle } from '../containers/pickle';
import type { PickleGlobal, PickleValue } from '../containers/pickle-values';
import { openZip, type ZipArchive } from '../containers/zip';
import { readNamedWeights } from '../dialects/named-weights';
import { exportTable, readExported } from '../dialects/torch/export-archive';
import { findTensors, type PickledModule } from '../dialects/torch/find-tensors';
import { foreignNames, foreignWarnings, withoutTensors } from '../dialects/torch/foreign-names';
import { isLegacyMagic, readLegacy } from '../dialects/torch/legacy-layout';
import type { ModuleFacts } from '../dialects/torch/read-modules';
import { nonlinearityInCode } from '../dialects/torch/script-code';
import { nameAsStateDict } from '../dialects/torch/state-dict-names';
import type { TorchFile, TorchStorage } from '../dialects/torch/storages';
import type { FormatOptions } from '../reading';
import type { ModelFile, ModelFormat } from './format';

/** A file of `torch.save`, `torch.jit.save` or `torch.export.save`; any other pickle is named for what it is. */
export const torch: ModelFormat = {
  id: 'torch',
  matches: ({ container, archive, source }) =>
    container.kind === 'pickle' ||
    isFirstLayout(source) ||
    (archive !== null && [pickleEntry, exportTable, exportedState].some((find) => find(archive) !== null)),
  read: readTorch,
};

/** An unpickled file. */
interface Content {
  readonly producer: string;
  readonly value: PickleValue;
  readonly globals: readonly PickleGlobal[];
  readonly file: TorchFile;
  /** The nonlinearity of an `nn.RNN` by its class, where its attributes do not say it. */
  readonly nonlinearityOf: (className: string) => Promise<string | null>;
  /** Weights that stand in the code. */
  readonly isFrozen: boolean;
}

async function readTorch({ source, name, archive }: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  if (isFirstLayout(source)) {
    throw new TempogradError('reader/unknown-format', `${name} is a tar archive of PyTorch before 0.1.10`, {
      remedy: 'Load it with torch.load and save it again with torch.save.',
    });
  }
  if (!archive) return readContent(openPickle(source, name, options), name, options);
  if (pickleEntry(archive) !== null) return readContent(await openArchive(archive, name, options), name, options);
  const state = exportedState(archive);
  if (state !== null) {
    const inner = await openZip(await archive.open(state), options.limits);
    const content = await openArchive(inner, `${name}: ${state}`, options);
    return readContent({ ...content, producer: 'PyTorch (torch.export)' }, name, options);
  }
  const table = exportTable(archive);
  if (table === null) throw new Error('a file of PyTorch has a pickle or a table of weights');
  const tensors = await readExported(archive, table, name, options.limits);
  return readNamedWeights('torch', 'PyTorch (torch.export)', tensors, options);
}

async function readContent(content: Content, name: string, options: FormatOptions): Promise<RecurrentModel> {
  const found = findTensors(content.value, content.file);
  const nested = [...content.file.nested.values()].flatMap((storage) => storage?.globals ?? []);
  const foreign = foreignNames([...content.globals, ...nested]);
  if (found.tensors.length === 0 && content.isFrozen) throw frozen(name);
  if (found.tensors.length === 0) throw withoutTensors(name, foreign);
  if (found.tensors.every(({ path }) => path.length === 0)) {
    throw new TempogradError('reader/unknown-format', `${name} holds a tensor without a name: data, not a model`);
  }
  const { tensors, modules, classes } = nameAsStateDict(found);
  return readNamedWeights('torch', content.producer, tensors, options, {
    modules: await factsOf(modules, content.nonlinearityOf),
    classes,
    warnings: foreignWarnings(foreign, new Set(classes.values()), found.hasUnreadPacked),
  });
}

async function factsOf(
  modules: ReadonlyMap<string, PickledModule>,
  nonlinearityOf: Content['nonlinearityOf'],
): Promise<ReadonlyMap<string, ModuleFacts>> {
  const facts = new Map<string, ModuleFacts>();
  for (const [prefix, { className, kind, nonlinearity }] of modules) {
    const isOpen = nonlinearity === null && kind.startsWith('RNN');
    facts.set(prefix, {
      className: `nn.${kind}`,
      nonlinearity: isOpen ? await nonlinearityOf(className) : nonlinearity,
    });
  }
  return facts;
}

/** A module that is not saved whole says nothing more. */
const unknown = (): Promise<null> => Promise.resolve(null);

function frozen(name: string): TempogradError {
  return new TempogradError(
    'reader/unknown-format',
    `${name} is a frozen TorchScript archive: its weights stand in its code, without names`,
    { remedy: 'Save the module before torch.jit.freeze, or its state dict.' },
  );
}

const FIRST_LAYOUT_ENTRY = 'sys_info\0';
const TAR_MAGIC = 'ustar';
const TAR_MAGIC_OFFSET = 257;

/** A tar archive whose first entry is PyTorch's. */
function isFirstLayout(source: ByteSource): boolean {
  const end = TAR_MAGIC_OFFSET + TAR_MAGIC.length;
  if (source.size < end) return false;
  const head = new TextDecoder('latin1').decode(source.read(0, end));
  return head.startsWith(FIRST_LAYOUT_ENTRY) && head.endsWith(TAR_MAGIC);
}

/** `archive/data.pkl`; null when the archive is none of PyTorch's. */
function pickleEntry(archive: ZipArchive): string | null {
  return onlyEntry(archive, /^([^/]+\/)?data\.pkl$/);
}

/** The state dict inside an archive of `torch.export` before PyTorch 2.9: a file of PyTorch of its own. */
function exportedState(archive: ZipArchive): string | null {
  return onlyEntry(archive, /^([^/]+\/)?serialized_state_dict\.(pt|json)$/);
}

function onlyEntry(archive: ZipArchive, name: RegExp): string | null {
  const found = archive.names.filter((entry) => name.test(entry));
  return found.length === 1 ? (found[0] ?? null) : null;
}

async function openArchive(archive: ZipArchive, name: string, options: FormatOptions): Promise<Content> {
  const entry = pickleEntry(archive);
  if (entry === null) throw new TempogradError('reader/corrupt', `${name} has no pickle`);
  const base = entry.slice(0, -'data.pkl'.length);
  const { limits } = options;
  limits.objects.add(archive.inflatedBytes(entry));
  const { value, globals } = unpickle(await archive.open(entry), 0, `${name}: ${entry}`, limits);
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
    file: { name, littleEndian: !order.startsWith('big'), limits, open, nested: new Map() },
    nonlinearityOf: isScript ? (className) => nonlinearityInCode(archive, base, className) : unknown,
    isFrozen: isScript && archive.names.some((part) => part.startsWith(`${base}constants/`)),
  };
}

function openPickle(source: ByteSource, name: string, { limits }: FormatOptions): Content {
  const first = unpickle(source, 0, name, limits);
  const shared = { nonlinearityOf: unknown, isFrozen: false };
  if (isLegacyMagic(first.value)) {
    return { producer: 'PyTorch (layout before 1.6)', ...readLegacy(source, first.end, name, limits), ...shared };
  }
  const open = (): Promise<ByteSource> =>
    Promise.reject(new TempogradError('reader/corrupt', `${name} refers to a storage, but is a bare pickle`));
  const file = { name, littleEndian: true, limits, open, nested: new Map() };
  return { producer: 'a Python pickle', value: first.value, globals: first.globals, file, ...shared };
}
