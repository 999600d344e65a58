/**
 * ZIP archives with every size known and held against its limit before anything is inflated.
 *
 * The central directory is read by yauzl; names are compared, never written. Two entries of one name, overlapping
 * entries, or a local header that contradicts the directory are damage: another program might read other bytes.
 */
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { RandomAccessReader, fromRandomAccessReaderPromise, type Entry, type ZipFile } from 'yauzl';
import { TempogradError } from '../../core/errors';
import { memorySource, sliceSource, type ByteSource } from '../byte-source';
import { ZIP_RATIO_FLOOR_BYTES, checkLimit, type ReadLimits } from '../limits';
import { inflate, inflateHead } from './inflate';

/** An open archive. */
export interface ZipArchive {
  /** Names of the files, directories left out. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /** Bytes of memory that opening an entry takes: none where it is stored as it is. */
  inflatedBytes(name: string): number;
  /**
   * The bytes of an entry as a source; a stored one stays on disk, a deflated one is inflated into memory.
   *
   * @throws TempogradError `reader/corrupt` on a wrong checksum or size, `reader/truncated`, `reader/limit-exceeded`.
   */
  open(name: string): Promise<ByteSource>;
  /**
   * The first bytes of an entry, as many as are wanted and there; nothing behind them is inflated, and no checksum asked.
   *
   * @throws TempogradError `reader/corrupt` when they cannot be inflated.
   */
  head(name: string, length: number): Promise<Uint8Array>;
  /** All bytes of an entry; throws as `open` does. */
  read(name: string): Promise<Uint8Array>;
}

const STORED = 0;
const DEFLATED = 8;
const LOCAL_HEADER_BYTES = 30;
/** Read and summed at a time. */
const PIECE_BYTES = 1 << 20;
const UNKNOWN_32 = 0xffffffff;

/** Lets yauzl read from a `ByteSource`. */
class SourceReader extends RandomAccessReader {
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    super();
    this.#source = source;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from([this.#source.read(start, end - start)]);
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    let failure: Error | null = null;
    try {
      buffer.set(this.#source.read(position, length), offset);
    } catch (error) {
      failure = error as Error;
    }
    setImmediate(() => {
      if (failure) callback(failure);
      else callback(null, length);
    });
  }
}

/**
 * The archive that the bytes are, its directory checked.
 *
 * @param source - The file.
 * @param limits - Caps on entries, ratio and total size.
 * @throws TempogradError `reader/truncated`, `reader/corrupt`, `reader/unsafe` (a name that leaves the archive),
 * `reader/limit-exceeded`, `reader/unknown-format` (encrypted).
 */
export async function openZip(source: ByteSource, limits: ReadLimits): Promise<ZipArchive> {
  const { zip, entries } = await readDirectory(source, limits);
  checkOverlap(entries);
  const byName = new Map<string, Entry>();
  for (const entry of entries) {
    const name = checkedName(entry);
    if (byName.has(name)) throw corrupt(`The archive holds two entries named ${name}`, { name });
    byName.set(name, entry);
  }
  // PyTorch can be told to write no checksums; one that is left out somewhere only is damage.
  const hasChecksums = entries.some((entry) => entry.crc32 !== 0);
  const names = [...byName.keys()].filter((name) => !name.endsWith('/'));
  const entryOf = (name: string): Entry => {
    const entry = byName.get(name);
    if (!entry) throw corrupt(`The archive has no entry ${name}`, { name });
    return entry;
  };
  const open = async (name: string): Promise<ByteSource> =>
    openEntry(source, zip, entryOf(name), { name, hasChecksums });
  return {
    names,
    has: (name) => byName.has(name),
    inflatedBytes: (name) => {
      const entry = entryOf(name);
      return entry.compressionMethod === STORED ? 0 : entry.uncompressedSize;
    },
    open,
    head: async (name, length) => {
      const entry = entryOf(name);
      const stored = sliceSource(source, await findData(zip, entry, name), entry.compressedSize);
      const wanted = Math.min(length, entry.uncompressedSize);
      const isStored = entry.compressionMethod === STORED;
      return isStored ? stored.read(0, Math.min(wanted, stored.size)) : inflateHead(stored, wanted, name);
    },
    read: async (name) => {
      const part = await open(name);
      return part.read(0, part.size);
    },
  };
}

async function readDirectory(
  source: ByteSource,
  limits: ReadLimits,
): Promise<{ readonly zip: ZipFile; readonly entries: readonly Entry[] }> {
  const entries: Entry[] = [];
  let total = 0;
  let names = 0;
  try {
    const zip = await fromRandomAccessReaderPromise(new SourceReader(source), source.size, {
      autoClose: false,
      decodeStrings: false,
      validateEntrySizes: false,
    });
    checkLimit('Number of entries in the archive', zip.entryCount, 'maxZipEntries', limits);
    for await (const entry of zip.eachEntry()) {
      names += entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
      checkLimit('Names in the archive, in bytes', names, 'maxNameBytes', limits);
      total += checkEntry(entry, limits);
      checkLimit('Size of the archive, inflated', total, 'maxZipTotalBytes', limits);
      entries.push(entry);
    }
    return { zip, entries };
  } catch (error) {
    throw translate(error);
  }
}

/** The inflated size of an entry that keeps to the limits. */
function checkEntry(entry: Entry, limits: ReadLimits): number {
  const name = displayName(entry);
  if (entry.isEncrypted()) {
    throw new TempogradError('reader/unknown-format', `Entry ${name} is encrypted; encrypted archives cannot be read`, {
      remedy: 'Unpack the archive with its password and save the model without one.',
      details: { name },
    });
  }
  if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED) {
    throw corrupt(
      `Entry ${name} is compressed by method ${String(entry.compressionMethod)}, which Keras never writes`,
      {
        name,
      },
    );
  }
  const { compressedSize: stored, uncompressedSize: inflated } = entry;
  if (entry.compressionMethod === STORED && stored !== inflated) {
    throw corrupt(
      `Entry ${name} is stored as it is, but its two sizes differ: ${String(stored)} and ${String(inflated)}`,
      { name },
    );
  }
  if (inflated > ZIP_RATIO_FLOOR_BYTES) {
    const ratio = Math.round(inflated / Math.max(stored, 1));
    checkLimit(`Ratio of compression of entry ${name}`, ratio, 'maxZipRatio', limits);
  }
  return inflated;
}

/** Neighbours by offset must not share bytes, or two names would be one content. */
function checkOverlap(entries: readonly Entry[]): void {
  const sorted = [...entries].sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader);
  for (const [index, entry] of sorted.entries()) {
    const next = sorted[index + 1];
    if (!next) return;
    const end = entry.relativeOffsetOfLocalHeader + LOCAL_HEADER_BYTES + entry.fileNameLength + entry.compressedSize;
    if (end > next.relativeOffsetOfLocalHeader) {
      throw corrupt(`Entries ${displayName(entry)} and ${displayName(next)} overlap`, {
        offset: next.relativeOffsetOfLocalHeader,
      });
    }
  }
}

/** The name of an entry, refused when a program that unpacks it could be led elsewhere. */
function checkedName(entry: Entry): string {
  const name = displayName(entry);
  const parts = name.split('/');
  const leaves =
    name === '' ||
    name.startsWith('/') ||
    name.includes('\\') ||
    name.includes('\0') ||
    /^[A-Za-z]:/.test(name) ||
    parts.includes('..');
  if (!leaves) return name;
  throw new TempogradError(
    'reader/unsafe',
    `The archive holds an entry whose name leaves it: ${JSON.stringify(name)}`,
    {
      details: { name },
    },
  );
}

function displayName(entry: Entry): string {
  return new TextDecoder('utf-8').decode(entry.fileNameRaw);
}

async function openEntry(
  source: ByteSource,
  zip: ZipFile,
  entry: Entry,
  { name, hasChecksums }: { readonly name: string; readonly hasChecksums: boolean },
): Promise<ByteSource> {
  const start = await findData(zip, entry, name);
  const stored = sliceSource(source, start, entry.compressedSize);
  if (entry.compressionMethod === STORED) {
    if (hasChecksums) checkCrc(stored, entry.crc32, name);
    return stored;
  }
  const inflated = memorySource(await inflate(stored, entry.uncompressedSize, name));
  if (hasChecksums) checkCrc(inflated, entry.crc32, name);
  return inflated;
}

/** Offset of an entry's data, its local header held against the directory. */
async function findData(zip: ZipFile, entry: Entry, name: string): Promise<number> {
  let header;
  try {
    header = (await zip.readLocalFileHeaderPromise(entry, { minimal: false } as never)) as unknown as {
      fileDataStart: number;
      fileName: Buffer;
      compressedSize: number;
      uncompressedSize: number;
      generalPurposeBitFlag: number;
      compressionMethod: number;
    };
  } catch (error) {
    throw translate(error);
  }
  const sizesFollow = (header.generalPurposeBitFlag & 8) !== 0;
  const agrees = (local: number, central: number): boolean =>
    local === central || local === UNKNOWN_32 || (sizesFollow && local === 0);
  const same =
    header.fileName.equals(entry.fileNameRaw) &&
    header.compressionMethod === entry.compressionMethod &&
    agrees(header.compressedSize, entry.compressedSize) &&
    agrees(header.uncompressedSize, entry.uncompressedSize);
  if (!same) throw corrupt(`Entry ${name}: its own header and the archive's directory disagree`, { name });
  return header.fileDataStart;
}

function checkCrc(source: ByteSource, expected: number, name: string): void {
  let sum = 0;
  for (let offset = 0; offset < source.size; offset += PIECE_BYTES) {
    sum = crc32(source.read(offset, Math.min(PIECE_BYTES, source.size - offset)), sum);
  }
  if (sum !== expected) throw corrupt(`Entry ${name}: the checksum is wrong`, { name, expected, actual: sum });
}

function corrupt(message: string, details: Record<string, unknown>, cause?: unknown): TempogradError {
  return new TempogradError('reader/corrupt', message, cause === undefined ? { details } : { details, cause });
}

/** yauzl throws plain errors; those that mean "too short" are told from damage by their words. */
function translate(error: unknown): unknown {
  if (error instanceof TempogradError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = /encryption/i.test(message)
    ? 'reader/unknown-format'
    : /signature not found|unexpected EOF|overflows file bounds/i.test(message)
      ? 'reader/truncated'
      : 'reader/corrupt';
  return new TempogradError(code, `The ZIP archive cannot be read: ${message}`, { cause: error });
}
