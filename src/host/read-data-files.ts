/**
 * The arrays that a run needs besides its model: `--input`, `--mask`, `--initial-state`, `--target`.
 */
import { TempogradError } from '../core/errors';
import type { RealTensor, Tensor } from '../core/tensor';
import { DEFAULT_LIMITS, type ReadLimits } from '../readers/limits';
import { readArray, readArrays } from '../readers/read-array';
import { readInput } from '../readers/read-input';
import { openFileSource, type FileSource } from './file-source';
import type { DataArrays, DataFiles, ReadDataResult } from './reader-messages';

/**
 * The arrays of a set of files.
 *
 * @param files - The files; those not named give null.
 * @param raised - Caps that the user set; the others are as usual.
 * @throws TempogradError `input/not-readable`, also for what is no ordinary file; `input/not-finite`; `reader/limit-exceeded`.
 */
export async function readDataFiles(files: DataFiles, raised: Partial<ReadLimits> = {}): Promise<ReadDataResult> {
  const limits = { ...DEFAULT_LIMITS, ...raised };
  const { input, maskFile, initialStateFile, targetFile } = files;
  const read = input && (await withFile(input.path, (source) => readInput(source, source.name, { ...input, limits })));
  const mask =
    maskFile === null ? null : await withFile(maskFile, (source) => readArray(source, source.name, null, limits));
  const initialState =
    initialStateFile === null ? null : await withFile(initialStateFile, (source) => readInitialState(source, limits));
  const target =
    targetFile === undefined
      ? null
      : await withFile(targetFile, (source) => readInput(source, source.name, { limits }));
  const arrays = { input: read?.tensor ?? null, mask, initialState, ...(target && { target: target.tensor }) };
  return { kind: 'data', arrays, inputShape: read?.tensor.shape ?? null, columns: read?.columns ?? null };
}

async function readInitialState(source: FileSource, limits: ReadLimits): Promise<DataArrays['initialState']> {
  const arrays = await readArrays(source, source.name, limits);
  const h0 = arrays.get('h0');
  const c0 = arrays.get('c0');
  if (!h0) {
    throw new TempogradError(
      'input/not-readable',
      `${source.name} holds no array h0; it holds ${[...arrays.keys()].join(', ')}`,
      {
        remedy: 'Give an .npz with h0 (and c0 for an LSTM).',
      },
    );
  }
  return { h0: realOf(h0), c0: c0 ? realOf(c0) : null };
}

function realOf({ shape, data }: Tensor): RealTensor {
  const isReal = data instanceof Float32Array || data instanceof Float64Array;
  return { shape, data: isReal ? data : Float64Array.from(data) };
}

/** A missing or unreadable data file is an input that cannot be read, whatever a reader would call it. */
async function withFile<T>(path: string, use: (source: FileSource) => Promise<T>): Promise<T> {
  let source: FileSource;
  try {
    source = openFileSource(path);
  } catch (cause) {
    if (cause instanceof TempogradError) {
      const remedy = 'Check that it exists, is an ordinary file, and that you may read it.';
      throw new TempogradError('input/not-readable', cause.message, { remedy, details: cause.details, cause });
    }
    throw cause;
  }
  try {
    return await use(source);
  } finally {
    source.close();
  }
}
