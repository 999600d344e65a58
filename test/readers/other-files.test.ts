import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';

const tar = new Uint8Array(1024);
tar.set(new TextEncoder().encode('ustar'), 257);

describe('an archive around a model', () => {
  it.each([
    ['a.tar', tar, 'a tar archive'],
    ['a.tar.gz', new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), 'a gzip archive'],
    ['a.7z', new Uint8Array([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0, 4]), 'a 7z archive'],
  ])('%s is named, and has to be unpacked', async (name, bytes, what) => {
    await expect(readModel(memorySource(bytes), name)).rejects.toMatchObject({
      code: 'reader/unknown-format',
      message: `${name} is ${what}, not a model that can be read`,
      remedy: expect.stringMatching(/^Unpack it first/),
    });
  });
});
