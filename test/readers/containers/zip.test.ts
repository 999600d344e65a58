import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../src/readers/byte-source';
import { openZip, type ZipArchive } from '../../../src/readers/containers/zip';
import { DEFAULT_LIMITS, type ReadLimits } from '../../../src/readers/limits';
import { writeZip, type TestEntry } from './write-zip';

const TEXT = Buffer.from('{"class_name": "Sequential"}');

function open(entries: readonly TestEntry[], limits: Partial<ReadLimits> = {}): Promise<ZipArchive> {
  return openZip(memorySource(writeZip(entries)), { ...DEFAULT_LIMITS, ...limits });
}

function deflated(name: string, bytes: Uint8Array, lies: Partial<TestEntry> = {}): TestEntry {
  return { name, bytes: deflateRawSync(bytes), method: 8, inflatedSize: bytes.length, crc: crcOf(bytes), ...lies };
}

/** The checksum that a stored entry of these bytes would carry. */
function crcOf(bytes: Uint8Array): number {
  return Buffer.from(writeZip([{ name: 'x', bytes }])).readUInt32LE(14);
}

describe('openZip', () => {
  it('reads stored and deflated entries', async () => {
    const archive = await open([
      { name: 'a.json', bytes: TEXT },
      deflated('b.json', TEXT),
      { name: 'folder/', bytes: Buffer.alloc(0) },
    ]);
    expect(archive.names).toEqual(['a.json', 'b.json']);
    expect(Buffer.from(await archive.read('a.json'))).toEqual(TEXT);
    expect(Buffer.from(await archive.read('b.json'))).toEqual(TEXT);
  });

  it('gives the first bytes of an entry without what is behind them', async () => {
    // Hardly compressible, so that the end of what is stored is far behind its beginning.
    const bytes = Buffer.from(Array.from({ length: 50_000 }, (_, index) => Math.imul(index + 1, 0x9e3779b1) >>> 24));
    const broken = deflated('deflated', bytes);
    const half = Buffer.from(broken.bytes);
    half.fill(0xff, Math.floor(half.length / 2));
    const archive = await open([
      { name: 'stored', bytes, crc: 1 },
      { ...broken, bytes: half },
    ]);
    for (const name of ['stored', 'deflated']) {
      expect(Buffer.from(await archive.head(name, 100))).toEqual(bytes.subarray(0, 100));
      await expect(archive.open(name)).rejects.toMatchObject({ code: 'reader/corrupt' });
    }
    expect(await archive.head('stored', 1_000_000)).toHaveLength(bytes.length);
  });

  it('reads an archive written without checksums, but not an entry without its own', async () => {
    const without = { name: 'a', bytes: TEXT, crc: 0 };
    const archive = await open([without, deflated('b', TEXT, { crc: 0 })]);
    expect(Buffer.from(await archive.read('a'))).toEqual(TEXT);
    expect(Buffer.from(await archive.read('b'))).toEqual(TEXT);
    const one = await open([without, { name: 'b', bytes: TEXT }]);
    await expect(one.read('a')).rejects.toMatchObject({ code: 'reader/corrupt' });
  });

  it('leaves a stored entry where it is and reads parts of it', async () => {
    const part = await (await open([{ name: 'a', bytes: TEXT }])).open('a');
    expect(Buffer.from(part.read(2, 10)).toString()).toBe('class_name');
    expect(() => part.read(20, 9)).toThrow(expect.objectContaining({ code: 'reader/truncated' }));
  });

  it.each(['../a', 'x/../../a', '/etc/a', 'C:a', '..\\a', 'a\0b', ''])('refuses the name %j', async (name) => {
    await expect(open([{ name, bytes: TEXT }])).rejects.toMatchObject({ code: 'reader/unsafe' });
  });

  it('takes names that only look odd', async () => {
    const names = ['..a', 'a..b/c', 'ünï/cödé', 'assets/vocab.txt'];
    const archive = await open(names.map((name) => ({ name, bytes: TEXT })));
    expect(archive.names).toEqual(names);
  });

  it.each<[string, readonly TestEntry[], string]>([
    [
      'two entries of one name',
      [
        { name: 'a', bytes: TEXT },
        { name: 'a', bytes: TEXT },
      ],
      'reader/corrupt',
    ],
    ['an encrypted entry', [{ name: 'a', bytes: TEXT, flags: 1 }], 'reader/unknown-format'],
    ['strong encryption', [{ name: 'a', bytes: TEXT, flags: 0x41 }], 'reader/unknown-format'],
    ['an unknown method', [{ name: 'a', bytes: TEXT, method: 12 }], 'reader/corrupt'],
    ['a stored entry of two sizes', [{ name: 'a', bytes: TEXT, inflatedSize: 20 }], 'reader/corrupt'],
    ['a ratio bomb', [deflated('a', Buffer.alloc(1 << 20))], 'reader/limit-exceeded'],
  ])('refuses %s', async (_what, entries, code) => {
    await expect(open(entries)).rejects.toMatchObject({ code });
  });

  it.each<[string, TestEntry]>([
    ['a wrong checksum', { name: 'a', bytes: TEXT, crc: 1 }],
    ['a wrong checksum of a deflated entry', deflated('a', TEXT, { crc: 1 })],
    ['more bytes than declared', deflated('a', TEXT, { inflatedSize: 10 })],
    ['fewer bytes than declared', deflated('a', TEXT, { inflatedSize: 100 })],
    ['damaged deflate data', { ...deflated('a', TEXT), bytes: Buffer.from([7, 7, 7, 7]) }],
    ['another name in its own header', { name: 'a', bytes: TEXT, localName: 'b' }],
  ])('refuses to read an entry with %s', async (_what, entry) => {
    const archive = await open([entry]);
    await expect(archive.read('a')).rejects.toMatchObject({ code: 'reader/corrupt' });
  });

  it('refuses overlapping entries', async () => {
    const archive = Buffer.from(
      writeZip([
        { name: 'a', bytes: TEXT },
        { name: 'b', bytes: TEXT },
      ]),
    );
    const second = archive.lastIndexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    archive.writeUInt32LE(10, second + 42);
    await expect(openZip(memorySource(archive), DEFAULT_LIMITS)).rejects.toMatchObject({ code: 'reader/corrupt' });
  });

  it('holds the number and the total size of entries against the limits', async () => {
    const entries = ['a', 'b', 'c'].map((name) => ({ name, bytes: TEXT }));
    await expect(open(entries, { maxZipEntries: 2 })).rejects.toMatchObject({ code: 'reader/limit-exceeded' });
    await expect(open(entries, { maxZipTotalBytes: 2 * TEXT.length })).rejects.toMatchObject({
      code: 'reader/limit-exceeded',
      details: { limit: 'maxZipTotalBytes' },
    });
  });

  it('calls an archive cut at any place truncated or corrupt, never readable as it was', async () => {
    const whole = writeZip([
      { name: 'a', bytes: TEXT },
      { name: 'b', bytes: TEXT },
    ]);
    for (let size = 4; size < whole.length; size++) {
      const error: unknown = await openZip(memorySource(whole.subarray(0, size)), DEFAULT_LIMITS).catch(
        (e: unknown) => e,
      );
      expect(['reader/truncated', 'reader/corrupt']).toContain((error as { code?: string }).code);
    }
  });
});
