/**
 * An `.npz` of named weights: every entry is an array, the names are those of a state dict or of Keras.
 */
import { TempogradError } from '../../core/errors';
import type { RecurrentModel } from '../../core/model';
import type { RealTensor, TensorData } from '../../core/tensor';
import { memorySource } from '../byte-source';
import { describeNpy, openNpyRows, readNpy } from '../containers/npy';
import type { ZipArchive } from '../containers/zip';
import { readNamedWeights } from '../dialects/named-weights';
import { checkLimit } from '../limits';
import { asModelError, type FormatOptions } from '../reading';
import type { ReadRows, StoredTensor } from '../stored-tensor';
import type { ModelFile, ModelFormat } from './format';

const SUFFIX = '.npy';
/** Nearly every header is shorter; what is behind it stays where it is until it is wanted. */
const HEAD_BYTES = 4096;

/** An archive that holds nothing but arrays. */
export const npzWeights: ModelFormat = {
  id: 'npz',
  matches: ({ archive }) =>
    archive !== null && archive.names.length > 0 && archive.names.every((name) => name.endsWith(SUFFIX)),
  read: readNpzWeights,
};

async function readNpzWeights({ archive, name }: ModelFile, options: FormatOptions): Promise<RecurrentModel> {
  if (!archive) throw new Error('an .npz file is an archive');
  checkLimit(`Number of arrays in ${name}`, archive.names.length, 'maxNamedTensors', options.limits);
  const tensors: StoredTensor[] = [];
  for (const entry of archive.names) {
    const tensor = await describeEntry(archive, entry, name, options);
    if (tensor) tensors.push(tensor);
  }
  return readNamedWeights('npz', 'NumPy', tensors, options);
}

/** An array by its header; null for one that holds no numbers, such as a name. */
async function describeEntry(
  archive: ZipArchive,
  entry: string,
  file: string,
  options: FormatOptions,
): Promise<StoredTensor | null> {
  const name = entry.slice(0, -SUFFIX.length);
  return asModelError(async () => {
    const described = await describeArray(archive, entry, `${file}: ${name}`);
    if (described === null) return null;
    const read = (): Promise<RealTensor> =>
      asModelError(async () => {
        const { shape, data } = readNpy(await archive.open(entry), `${file}: ${name}`, options.limits);
        return { shape, data: toReal(data) };
      });
    const openRows = (): Promise<ReadRows> =>
      asModelError(async () => {
        const rows = openNpyRows(await archive.open(entry), `${file}: ${name}`, options.limits);
        return (start, count) => toReal(rows(start, count));
      });
    return { name, ...described, read, openRows };
  });
}

/** By its first bytes, or by all of it where a header is longer, or damaged and worth an exact message. */
async function describeArray(
  archive: ZipArchive,
  entry: string,
  what: string,
): Promise<ReturnType<typeof describeNpy>> {
  const head = memorySource(await archive.head(entry, HEAD_BYTES));
  try {
    return describeNpy(head, what);
  } catch (error) {
    if (!(error instanceof TempogradError)) throw error;
    return describeNpy(await archive.open(entry), what);
  }
}

function toReal(data: TensorData): RealTensor['data'] {
  return data instanceof Float32Array || data instanceof Float64Array ? data : Float32Array.from(data);
}
