/**
 * Arrays for `--input`, `--mask` and `--initial-state`: `.npy`, or one or all arrays of an `.npz`.
 */
import { TempogradError } from '../core/errors';
import type { Tensor } from '../core/tensor';
import type { ByteSource } from './byte-source';
import { readNpy } from './containers/npy';
import { openZip, type ZipArchive } from './containers/zip';
import { detectContainer } from './detect';
import { DEFAULT_LIMITS, type ReadLimits } from './limits';

/** Names that are taken from an `.npz` with several arrays when no key is given. */
const USUAL_KEYS = ['x', 'X', 'input', 'inputs', 'arr_0'];

/**
 * One array of a file.
 *
 * @param source - An `.npy` or `.npz` file.
 * @param name - Its name, for messages.
 * @param key - Which array of an `.npz`; null takes the only one, or one that is called `x` or `input`.
 * @param limits - Caps.
 * @throws TempogradError `input/not-readable`, `reader/limit-exceeded`, `reader/unsafe`.
 */
export async function readArray(
  source: ByteSource,
  name: string,
  key: string | null = null,
  limits: ReadLimits = DEFAULT_LIMITS,
): Promise<Tensor> {
  const { kind, description } = detectContainer(source);
  if (kind === 'npy') return readNpy(source, name, limits);
  if (kind !== 'zip') throw refuse(`${name} is ${description}, not a NumPy array`);
  return asInput(name, async () => {
    const archive = await openZip(source, limits);
    const chosen = chooseKey(arrayNames(archive), name, key);
    return readNpy(await archive.open(`${chosen}.npy`), `${name}: ${chosen}`, limits);
  });
}

/**
 * All arrays of an `.npz` by name.
 *
 * @param source - The file.
 * @param name - Its name, for messages.
 * @param limits - Caps.
 * @throws TempogradError `input/not-readable`, `reader/limit-exceeded`, `reader/unsafe`.
 */
export async function readArrays(
  source: ByteSource,
  name: string,
  limits: ReadLimits = DEFAULT_LIMITS,
): Promise<ReadonlyMap<string, Tensor>> {
  const { kind, description } = detectContainer(source);
  if (kind !== 'zip') throw refuse(`${name} is ${description}, not an .npz file`);
  return asInput(name, async () => {
    const archive = await openZip(source, limits);
    const arrays = new Map<string, Tensor>();
    for (const key of arrayNames(archive)) {
      arrays.set(key, readNpy(await archive.open(`${key}.npy`), `${name}: ${key}`, limits));
    }
    if (arrays.size === 0) throw refuse(`${name} holds no arrays`);
    return arrays;
  });
}

function arrayNames(archive: ZipArchive): readonly string[] {
  return archive.names.filter((entry) => entry.endsWith('.npy')).map((entry) => entry.slice(0, -'.npy'.length));
}

function chooseKey(keys: readonly string[], name: string, key: string | null): string {
  if (keys.length === 0) throw refuse(`${name} holds no arrays`);
  const wanted = key ?? (keys.length === 1 ? keys[0] : USUAL_KEYS.find((usual) => keys.includes(usual)));
  if (wanted !== undefined && keys.includes(wanted)) return wanted;
  const listed = keys.slice(0, 20).join(', ');
  throw new TempogradError(
    'input/not-readable',
    key === null ? `${name} holds several arrays: ${listed}` : `${name} holds no array ${key}; it holds ${listed}`,
    { remedy: 'Name one of the arrays with --key.', details: { keys: [...keys] } },
  );
}

/** A damaged archive is, for someone who gave it as data, an input that cannot be read. */
async function asInput<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof TempogradError && /^reader\/(corrupt|truncated|unknown-format)$/.test(error.code)) {
      throw new TempogradError('input/not-readable', `${name} cannot be read: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

function refuse(message: string): TempogradError {
  return new TempogradError('input/not-readable', message);
}
