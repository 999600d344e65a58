/**
 * The weights of a `torch.export` archive (`.pt2`): numbers in files of their own, their names and shapes in a table.
 *
 * Source: torch/export/pt2_archive, torch/_export/serde/schema.py (TensorMeta, ScalarType).
 */
import { TempogradError } from '../../../core/errors';
import type { ZipArchive } from '../../containers/zip';
import { checkLimit, type CountedLimits } from '../../limits';
import { field, isArray, isObject, parseJson, type JsonValue } from '../../json';
import type { StoredTensor } from '../../stored-tensor';
import { readView } from './storage-views';

const TABLE = /^(?:[^/]+\/)?data\/weights\/\w+_weights_config\.json$/;
const SCALAR_TYPES: Readonly<Record<number, string>> = {
  1: 'uint8',
  2: 'int8',
  3: 'int16',
  4: 'int32',
  5: 'int64',
  6: 'float16',
  7: 'float32',
  8: 'float64',
  10: 'complex64',
  11: 'complex128',
  12: 'bool',
  13: 'bfloat16',
  28: 'uint16',
};
const MAX_AXES = 64;

/**
 * The table of weights; null when the archive has none.
 *
 * @param archive - The archive.
 */
export function exportTable(archive: ZipArchive): string | null {
  const found = archive.names.filter((name) => TABLE.test(name));
  return found.length === 1 ? (found[0] ?? null) : null;
}

/**
 * The weights by their names in the state dict.
 *
 * @param archive - The archive.
 * @param table - The table's entry.
 * @param file - The file's name.
 * @param limits - Caps.
 * @throws TempogradError `reader/corrupt`, `reader/limit-exceeded`.
 */
export async function readExported(
  archive: ZipArchive,
  table: string,
  file: string,
  limits: CountedLimits,
): Promise<readonly StoredTensor[]> {
  const source = await archive.open(table);
  checkLimit(`Size of ${table} in bytes`, source.size, 'maxJsonBytes', limits);
  const text = new TextDecoder('utf-8').decode(source.read(0, source.size));
  const config = field(parseJson(text, `${file}: ${table}`, limits), 'config');
  if (!isObject(config)) throw corrupt(`The table of weights of ${file} has no entries`);
  const folder = table.slice(0, table.lastIndexOf('/') + 1);
  const littleEndian = await isLittleEndian(archive, folder);
  return Object.keys(config).flatMap((name) => {
    const entry = field(config, name);
    const tensor = field(entry, 'use_pickle') === true ? null : describe(name, entry, folder, file);
    if (!tensor) return [];
    const { path, ...view } = tensor;
    const read = async () => {
      if (!archive.has(path)) throw corrupt(`${file} names ${path}, which it does not hold`);
      return readView(await archive.open(path), { ...view, littleEndian }, file);
    };
    return [{ name, shape: view.shape, dtype: view.dtype, read }];
  });
}

async function isLittleEndian(archive: ZipArchive, folder: string): Promise<boolean> {
  const entry = `${folder.slice(0, -'data/weights/'.length)}byteorder`;
  return !archive.has(entry) || !new TextDecoder().decode(await archive.read(entry)).startsWith('big');
}

function describe(name: string, entry: JsonValue | undefined, folder: string, file: string) {
  const path = field(entry, 'path_name');
  const meta = field(entry, 'tensor_meta');
  const type = field(meta, 'dtype');
  const shape = numbersOf(field(meta, 'sizes'));
  const strides = numbersOf(field(meta, 'strides'));
  const offset = numberOf(field(meta, 'storage_offset'));
  const isPlain = typeof path === 'string' && /^[\w.-]{1,200}$/.test(path);
  if (!isPlain || !shape || !strides || offset === null || shape.length !== strides.length || shape.length > MAX_AXES) {
    throw corrupt(`Tensor ${name} of ${file} has no place, no shape, or one that is no whole numbers`);
  }
  const dtype = typeof type === 'number' ? (SCALAR_TYPES[type] ?? `type ${String(type)}`) : 'unknown';
  return { name, path: `${folder}${path}`, shape, strides, offset, dtype };
}

/** `{"as_int": 4}`, as a size that may depend on a symbol is written. */
function numberOf(value: JsonValue | undefined): number | null {
  const number = field(value, 'as_int');
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null;
}

function numbersOf(value: JsonValue | undefined): readonly number[] | null {
  if (!isArray(value)) return null;
  const numbers = value.map(numberOf);
  return numbers.includes(null) ? null : (numbers as readonly number[]);
}

function corrupt(message: string): TempogradError {
  return new TempogradError('reader/corrupt', message);
}
