/**
 * Attributes of an HDF5 file: numbers, and strings of fixed and of variable length.
 */
import { TempogradError } from '../../core/errors';
import { checkLimit, type CountedLimits } from '../limits';
import { OBJECT_BYTES } from '../object-count';
import type { Hdf5Metadata, Hdf5Session } from './hdf5-module';
import { CLASS_STRING, decodeNumbers, dtypeOf } from './hdf5-numbers';

/** An attribute's value: text or numbers, one or many. */
export type Hdf5Attribute = string | number | readonly string[] | readonly number[];

/**
 * An attribute, null when there is none; long ones split into `name0`, `name1` .. are put together.
 *
 * @param session - The open file.
 * @param path - Group or dataset.
 * @param name - The attribute's name.
 * @param limits - Caps.
 * @throws Error as the library words it; TempogradError `reader/limit-exceeded`.
 */
export function readAttribute(
  session: Hdf5Session,
  path: string,
  name: string,
  limits: CountedLimits,
): Hdf5Attribute | null {
  const names = new Set(session.library.get_attribute_names(session.file, path));
  if (names.has(name)) return readOneAttribute(session, path, name, limits);
  if (!names.has(`${name}0`)) return null;
  const parts: (string | number)[] = [];
  for (let index = 0; names.has(`${name}${String(index)}`); index++) {
    const part = readOneAttribute(session, path, `${name}${String(index)}`, limits);
    for (const item of Array.isArray(part) ? part : [part]) parts.push(item as string | number);
  }
  return parts as string[] | number[];
}

function readOneAttribute(
  { library, file }: Hdf5Session,
  path: string,
  name: string,
  limits: CountedLimits,
): Hdf5Attribute {
  const metadata = library.get_attribute_metadata(file, path, name);
  if (metadata.shape === null) return [];
  const bytes = metadata.size * metadata.total_size;
  checkLimit(`Size of attribute ${name} of ${path}`, bytes, 'maxAttributeBytes', limits);
  limits.objects.add(bytes + OBJECT_BYTES.entry * metadata.total_size);
  if (bytes === 0) return [];
  const pointer = allocate(library, bytes);
  library.get_attribute_data(file, path, name, BigInt(pointer));
  const raw = library.HEAPU8.slice(pointer, pointer + bytes);
  const values =
    metadata.type === CLASS_STRING
      ? readStrings(library, raw, metadata, limits)
      : [...decodeNumbers(raw, metadata, dtypeOf(metadata))];
  if (metadata.vlen) library.reclaim_vlen_memory(file, path, name, BigInt(pointer));
  library._free(pointer);
  const single = metadata.shape.length === 0 ? values[0] : undefined;
  return single ?? (values as string[] | number[]);
}

function readStrings(
  library: Hdf5Session['library'],
  raw: Uint8Array,
  metadata: Hdf5Metadata,
  limits: CountedLimits,
): string[] {
  const strings: string[] = [];
  if (metadata.vlen) {
    let total = 0;
    for (const pointer of new Uint32Array(raw.buffer)) {
      const text = library.UTF8ToString(pointer);
      total += text.length;
      limits.objects.addText(text.length);
      checkLimit('Size of the strings of an attribute', total, 'maxAttributeBytes', limits);
      strings.push(text);
    }
    return strings;
  }
  const decoder = new TextDecoder('utf-8');
  for (let offset = 0; offset < raw.length; offset += metadata.size) {
    const bytes = raw.subarray(offset, offset + metadata.size);
    const end = bytes.indexOf(0);
    strings.push(decoder.decode(end < 0 ? bytes : bytes.subarray(0, end)));
  }
  return strings;
}

/**
 * Memory inside the library.
 *
 * @param library - The library.
 * @param bytes - How much.
 * @throws TempogradError `reader/limit-exceeded` when it has no more.
 */
export function allocate(library: Hdf5Session['library'], bytes: number): number {
  const pointer = library._malloc(bytes);
  if (pointer !== 0) return pointer;
  throw new TempogradError('reader/limit-exceeded', `The HDF5 library has no room for ${String(bytes)} bytes`);
}
