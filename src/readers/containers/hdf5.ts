/**
 * HDF5 files by path: links, attributes, datasets; asynchronous, because after a failure the library starts afresh.
 *
 * Declared sizes are held against the file's own size before memory is taken. Links and storage that leave the file are
 * refused by name (CVE-2026-1669). This file knows nothing of models.
 */
import { TempogradError } from '../../core/errors';
import { sizeOf, type RealTensor } from '../../core/tensor';
import type { ByteSource } from '../byte-source';
import { checkLimit, type CountedLimits } from '../limits';
import { OBJECT_BYTES } from '../object-count';
import { allocate, readAttribute, type Hdf5Attribute } from './hdf5-attributes';
import { openSession, type Hdf5Metadata, type Hdf5Session } from './hdf5-module';
import { decodeNumbers, dtypeOf } from './hdf5-numbers';

/** What a path leads to. */
export type Hdf5Kind = 'group' | 'dataset' | 'other' | 'missing';

/** A dataset's description; its numbers are read on demand. */
export interface Hdf5Dataset {
  readonly path: string;
  readonly shape: readonly number[];
  /** numpy's word for the element type: `float32`. */
  readonly dtype: string;
  /**
   * The numbers, float64 for float64 and integers above 16 bits, else float32.
   *
   * @throws TempogradError `reader/corrupt` when they cannot be read, `reader/unsafe`, `reader/limit-exceeded`.
   */
  read(): Promise<RealTensor>;
}

/** An open file. */
export interface Hdf5File {
  kindOf(path: string): Promise<Hdf5Kind>;
  /** Names of the links in a group. */
  list(path: string): Promise<readonly string[]>;
  /** Where an object begins in the file: equal for two paths to the same object, rising in the order of writing. */
  address(path: string): Promise<bigint>;
  /** An attribute, null when there is none; long ones split into `name0`, `name1` .. are put together. */
  attribute(path: string, name: string): Promise<Hdf5Attribute | null>;
  dataset(path: string): Promise<Hdf5Dataset>;
}

const GROUP = 0;
const DATASET = 1;
const LINK = 3;
const USER_LINK = 4;
/** Rows are read in blocks of this size, so that the library's own memory stays small. */
const BLOCK_BYTES = 4 * 1024 * 1024;
const MAX_BLOCK_BYTES = 8 * BLOCK_BYTES;
/** Deflate cannot do better than 1032:1. */
const MAX_FILTER_RATIO = 1100;
/** A link: its names here and in the library, and what is kept of the object that it leads to. */
const LINK_BYTES = 6 * OBJECT_BYTES.record;
/** What stands around an attribute where it is kept. */
const READ_SLACK_BYTES = 1 << 20;
/** Each failure costs a new instance of the library. */
const MAX_FAILURES = 100;
const MAX_REPORT_CHARACTERS = 4000;
const MAX_CAUSE_CHARACTERS = 300;

/**
 * The HDF5 file that the bytes are.
 *
 * @param source - The file.
 * @param what - Its name for messages.
 * @param limits - Caps.
 * @throws TempogradError `reader/truncated`, `reader/corrupt`.
 */
export async function openHdf5(source: ByteSource, what: string, limits: CountedLimits): Promise<Hdf5File> {
  let session: Hdf5Session | null = null;
  let failures = 0;
  const call = async <T>(place: string, task: (session: Hdf5Session) => T): Promise<T> => {
    let current: Hdf5Session | null = session;
    try {
      current ??= await openSession(source);
      session = current;
      const result = task(current);
      refuseOutside(current, what, place);
      return result;
    } catch (error) {
      session = null;
      if (++failures > MAX_FAILURES) {
        throw new TempogradError('reader/corrupt', `${what} is damaged in more than ${String(MAX_FAILURES)} places`);
      }
      if (current) {
        refuseOutside(current, what, place);
        checkLimit(`Size of ${what}: ${place} in bytes`, current.refusedBytes(), 'maxAttributeBytes', limits);
      }
      throw translate(error, what, place);
    }
  };
  await call('/', () => undefined);
  return {
    kindOf: (path) => call(path, (open) => kindOf(open, what, path)),
    list: (path) =>
      call(path, ({ library, file }) => {
        const names = library.get_names(file, path, false);
        checkLimit(`Number of links in ${path}`, names.length, 'maxHdf5Objects', limits);
        for (const name of names) limits.objects.add(LINK_BYTES + 2 * name.length);
        return names;
      }),
    address: (path) =>
      call(path, ({ library, file }) => {
        const bytes = Uint8Array.from(library.create_object_reference(file, path));
        return new DataView(bytes.buffer).getBigUint64(0, true);
      }),
    attribute: (path, name) =>
      call(`${path}@${name}`, (open) =>
        open.withinReads(limits.maxAttributeBytes + READ_SLACK_BYTES, () => readAttribute(open, path, name, limits)),
      ),
    dataset: async (path) => {
      const metadata = await call(path, ({ library, file }) => library.get_dataset_metadata(file, path));
      refuseVirtual(metadata, what, path);
      const dtype = dtypeOf(metadata);
      const shape = metadata.shape ?? [0];
      return {
        path,
        shape,
        dtype,
        read: async () => {
          const hasFilters = await call(
            path,
            ({ library, file }) => library.get_dataset_filters(file, path).length > 0,
          );
          const bytes = checkBytes(source, `${what}: ${path}`, shape, metadata.size, hasFilters, limits);
          if (bytes === 0) return { shape, data: new Float32Array(0) };
          return { shape, data: await readNumbers(call, path, metadata, dtype) };
        },
      };
    },
  };
}

type Call = <T>(place: string, task: (session: Hdf5Session) => T) => Promise<T>;

function refuseOutside(session: Hdf5Session, what: string, place: string): void {
  const outside = session.outside();
  if (outside === null) return;
  throw new TempogradError(
    'reader/unsafe',
    `${what}: ${place} leads to another file, ${JSON.stringify(outside)}; it was not opened`,
    {
      details: { path: place, target: outside },
    },
  );
}

function refuseVirtual(metadata: Hdf5Metadata, what: string, path: string): void {
  const first = metadata.virtual_sources?.[0];
  if (!first) return;
  throw new TempogradError(
    'reader/unsafe',
    `${what}: ${path} is a virtual dataset made of ${JSON.stringify(first.file_name)}; it was not opened`,
    { details: { path, target: first.file_name } },
  );
}

function kindOf(session: Hdf5Session, what: string, path: string): Hdf5Kind {
  const type = session.library.get_type(session.file, path);
  if (type === GROUP) return 'group';
  if (type === DATASET) return 'dataset';
  if (type === USER_LINK) {
    const { filename } = session.library.get_external_link(session.file, path);
    throw new TempogradError(
      'reader/unsafe',
      `${what}: ${path} is a link to another file, ${JSON.stringify(filename ?? '')}; it was not opened`,
      {
        details: { path, target: filename ?? '' },
      },
    );
  }
  if (type === LINK) {
    const target = session.library.get_symbolic_link(session.file, path);
    throw new TempogradError(
      'reader/corrupt',
      `${what}: ${path} is a soft link to ${JSON.stringify(target ?? '')}, which leads nowhere`,
      {
        details: { path, target: target ?? '' },
      },
    );
  }
  return type < 0 ? 'missing' : 'other';
}

/** Bytes of a dataset that the file can really hold. */
function checkBytes(
  source: ByteSource,
  what: string,
  shape: readonly number[],
  elementBytes: number,
  hasFilters: boolean,
  limits: CountedLimits,
): number {
  const bytes = sizeOf(shape) * elementBytes;
  checkLimit(`Size of ${what} with shape [${shape.join(', ')}] in bytes`, bytes, 'maxTensorBytes', limits);
  const room = source.size * (hasFilters ? MAX_FILTER_RATIO : 1);
  if (bytes <= room) return bytes;
  throw new TempogradError(
    'reader/corrupt',
    `${what} declares shape [${shape.join(', ')}], ${String(bytes)} bytes, more than the whole file can hold`,
    { details: { shape: [...shape], bytes, fileBytes: source.size } },
  );
}

async function readNumbers(
  call: Call,
  path: string,
  metadata: Hdf5Metadata,
  dtype: string,
): Promise<Float32Array | Float64Array> {
  const shape = metadata.shape ?? [];
  const rows = shape[0] ?? 1;
  const rowBytes = sizeOf(shape.slice(1)) * metadata.size;
  const blockRows = Math.min(rows, rowsOfBlock(rowBytes, metadata.chunks?.[0] ?? 1));
  let result: Float32Array | Float64Array | null = null;
  for (let start = 0; start < rows; start += blockRows) {
    const count = Math.min(blockRows, rows - start);
    const bytes = await call(path, (session) => readBlock(session, path, shape, start, count, count * rowBytes));
    const values = decodeNumbers(bytes, metadata, dtype);
    if (count === rows) return values;
    result ??= values instanceof Float64Array ? new Float64Array(sizeOf(shape)) : new Float32Array(sizeOf(shape));
    result.set(values, start * sizeOf(shape.slice(1)));
  }
  return result ?? new Float32Array(0);
}

/** Whole chunks where they are not too large: the library inflates a chunk again for every block that has a part of it. */
function rowsOfBlock(rowBytes: number, chunkRows: number): number {
  const rows = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
  const inChunks = Math.ceil(rows / chunkRows) * chunkRows;
  return inChunks * rowBytes <= MAX_BLOCK_BYTES ? inChunks : rows;
}

function readBlock(
  { library, file }: Hdf5Session,
  path: string,
  shape: readonly number[],
  start: number,
  count: number,
  bytes: number,
): Uint8Array {
  const pointer = allocate(library, bytes);
  if (shape.length === 0) {
    library.get_dataset_data(file, path, null, null, null, BigInt(pointer));
  } else {
    const counts = shape.map((size, axis) => BigInt(axis === 0 ? count : size));
    const offsets = shape.map((_, axis) => BigInt(axis === 0 ? start : 0));
    const strides = shape.map(() => 1n);
    library.get_dataset_data(file, path, counts, offsets, strides, BigInt(pointer));
  }
  const copy = library.HEAPU8.slice(pointer, pointer + bytes);
  library._free(pointer);
  return copy;
}

/** The library's words put behind a code. */
function translate(error: unknown, what: string, place: string): unknown {
  if (error instanceof TempogradError || error instanceof TypeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const short = /truncated file|addr overflow|file size|end of file/i.test(message);
  return new TempogradError(
    short ? 'reader/truncated' : 'reader/corrupt',
    `${what}: ${place === '/' ? 'it' : place} cannot be read: ${rootCause(message)}`,
    { details: { path: place, library: message.slice(0, MAX_REPORT_CHARACTERS) }, cause: error },
  );
}

/** The innermost line of the library's report, which says what was found; the others say who asked. */
function rootCause(message: string): string {
  const lines = [...message.matchAll(/ in \w+\(\): (.+)/g)];
  const line = lines.at(-1)?.[1] ?? message.replace(/\s+/g, ' ').trim();
  return line.slice(0, MAX_CAUSE_CHARACTERS);
}
