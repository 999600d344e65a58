/**
 * Parts of a run as files: the record at once, the arrays by range when they are wanted.
 *
 * A file is open only while it is used, so that thousands of parts can be put together.
 */
import { TempogradError } from '../core/errors';
import { sizeOf } from '../core/tensor';
import type { ByteSource } from '../readers/byte-source';
import { describeNpy } from '../readers/containers/npy';
import { openZip, type ZipArchive } from '../readers/containers/zip';
import { DEFAULT_LIMITS } from '../readers/limits';
import { PART_ARRAYS, parsePartRecord, type OpenPart, type PartArray, type PartFile } from '../shared/part-record';
import { openFileSource } from './file-source';

/** A part may be of any size: it is read by range, and nothing in it is inflated. */
const LIMITS = { ...DEFAULT_LIMITS, maxZipTotalBytes: Number.MAX_SAFE_INTEGER };

/** A record is some thousand bytes; its layer's assumptions and warnings make it longer. */
const MAX_RECORD_BYTES = 64 * 2 ** 20;

const ARRAY_TYPES = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint8: Uint8Array,
} as const;

/**
 * A part.
 *
 * @param path - An `.npz` that `analyze --shard` wrote.
 * @throws TempogradError `reader/not-readable`; `reader/unknown-format` where it is no part; `reader/truncated` and
 * `reader/corrupt` where it is damaged.
 */
export async function openPartFile(path: string): Promise<PartFile> {
  const use = <R>(work: (part: OpenPart, zip: ZipArchive) => Promise<R>): Promise<R> => withArchive(path, work);
  const record = await use(async (_, zip) => {
    if (!zip.has(`${PART_ARRAYS.record}.npy`)) throw noPart(path, 'it has no array `part`');
    const entry = await zip.open(`${PART_ARRAYS.record}.npy`);
    const array = entry.size <= MAX_RECORD_BYTES ? arrayOf(entry, path, PART_ARRAYS.record) : null;
    const bytes = array?.read(0, sizeOf(array.shape));
    return bytes instanceof Uint8Array ? parsePartRecord(new TextDecoder().decode(bytes)) : null;
  });
  if (!record) throw noPart(path, 'what it says of itself cannot be understood');
  return { path, record, use };
}

/** Opens the file for as long as the work takes. */
async function withArchive<R>(path: string, work: (part: OpenPart, zip: ZipArchive) => Promise<R>): Promise<R> {
  const source = openFileSource(path);
  try {
    const head = source.size >= 4 ? source.read(0, 4) : new Uint8Array(4);
    if (!(head[0] === 0x50 && head[1] === 0x4b)) throw noPart(path, 'it is no .npz');
    const zip = await openZip(source, LIMITS);
    const array = async (name: string): Promise<PartArray | undefined> =>
      zip.has(`${name}.npy`) ? arrayOf(await zip.open(`${name}.npy`), path, name) : undefined;
    return await work({ array }, zip);
  } catch (error) {
    throw named(error, path);
  } finally {
    source.close();
  }
}

/** An entry as an array, its values behind the header. */
function arrayOf(entry: ByteSource, path: string, name: string): PartArray {
  const described = describeNpy(entry, `array ${name}`);
  const Kind = ARRAY_TYPES[described?.dtype as keyof typeof ARRAY_TYPES] as
    (typeof ARRAY_TYPES)[keyof typeof ARRAY_TYPES] | undefined;
  if (!described || !Kind) throw damaged(path, `its array ${name} has a type that no part has`);
  const elements = sizeOf(described.shape);
  const width = Kind.BYTES_PER_ELEMENT;
  const dataStart = entry.size - elements * width;
  if (dataStart < 0) throw damaged(path, `its array ${name} ends too early`);
  return {
    shape: described.shape,
    read(first, count) {
      const bytes = entry.read(dataStart + first * width, count * width);
      // A copy where the bytes do not lie as the type needs them.
      const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
      return new Kind(aligned.buffer as ArrayBuffer, aligned.byteOffset, count);
    },
  };
}

/** The same failure with the name of the file, which an archive does not know. */
function named(error: unknown, path: string): unknown {
  if (!(error instanceof TempogradError) || error.message.includes(path)) return error;
  const code = error.code === 'input/not-readable' ? 'reader/corrupt' : error.code;
  return new TempogradError(code, `${path}: ${error.message}`, {
    remedy: 'Compute this part again, with the same command and --shard.',
    details: { ...error.details, path },
    cause: error,
  });
}

function noPart(path: string, why: string): TempogradError {
  return new TempogradError('reader/unknown-format', `${path} is no part of a run: ${why}`, {
    remedy: 'Give the files that `tempograd analyze --shard i/n --out FILE.npz` wrote.',
    details: { path },
  });
}

function damaged(path: string, why: string): TempogradError {
  return new TempogradError('reader/corrupt', `${path} is damaged: ${why}`, {
    remedy: 'Compute this part again, with the same command and --shard.',
    details: { path },
  });
}
