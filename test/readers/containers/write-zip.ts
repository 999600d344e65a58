/** A ZIP archive of stored entries, written for tests that need to change what is inside. */
import { crc32 } from 'node:zlib';

/** What a test may falsify about an entry. */
export interface EntryLies {
  readonly crc?: number;
  readonly flags?: number;
  readonly method?: number;
  readonly storedSize?: number;
  readonly inflatedSize?: number;
  readonly localName?: string;
}

/** An entry: its name, its bytes as they are stored, and what is said about it that is not so. */
export interface TestEntry extends EntryLies {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The archive, right but for the entries' own lies. */
export function writeZip(entries: readonly TestEntry[]): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const local = header(entry, entry.localName ?? entry.name, null);
    directory.push(header(entry, entry.name, offset));
    parts.push(local, Buffer.from(entry.bytes));
    offset += local.length + entry.bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

/** A local header, or with an offset the entry of the directory. */
function header(entry: TestEntry, name: string, offset: number | null): Buffer {
  const encoded = Buffer.from(name, 'utf8');
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(entry.flags ?? 0, 2);
  fields.writeUInt16LE(entry.method ?? 0, 4);
  fields.writeUInt32LE(entry.crc ?? crc32(entry.bytes), 10);
  fields.writeUInt32LE(entry.storedSize ?? entry.bytes.length, 14);
  fields.writeUInt32LE(entry.inflatedSize ?? entry.bytes.length, 18);
  fields.writeUInt16LE(encoded.length, 22);
  const signature = Buffer.alloc(4);
  signature.writeUInt32LE(offset === null ? 0x04034b50 : 0x02014b50);
  if (offset === null) return Buffer.concat([signature, fields, encoded]);
  const more = Buffer.alloc(14);
  more.writeUInt32LE(offset, 10);
  return Buffer.concat([signature, Buffer.from([20, 0]), fields, more, encoded]);
}
