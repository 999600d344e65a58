import { execFileSync, spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  linkOrCopy,
  matchesIntegrity,
  placeFolder,
  sha256File,
  sha256Parts,
  writeWhole,
} from '../../scripts/setup/files.mjs';
import { isAlive, withLock } from '../../scripts/setup/lock.mjs';
import { extractEntry, listZip } from '../../scripts/setup/unzip.mjs';
import { sourceStamp } from '../../scripts/run/build.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tempograd-setup-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A zip archive of one entry, deflated. */
function zipOf(name: string, content: Buffer, claimedCrc = crc32(content)): Buffer {
  const packed = deflateRawSync(content);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(8, 10);
  central.writeUInt32LE(claimedCrc, 16);
  central.writeUInt32LE(packed.length, 20);
  central.writeUInt32LE(content.length, 24);
  central.writeUInt16LE(name.length, 28);
  const start = 30 + name.length + packed.length;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt32LE(46 + name.length, 12);
  end.writeUInt32LE(start, 16);
  return Buffer.concat([local, Buffer.from(name), packed, central, Buffer.from(name), end]);
}

describe('unzip', () => {
  it('takes an entry out bit for bit', async () => {
    const content = Buffer.from('recurrent '.repeat(5000));
    writeFileSync(join(folder, 'a.zip'), zipOf('lib/x.so', content));
    const entry = listZip(join(folder, 'a.zip')).get('lib/x.so')!;
    await extractEntry(join(folder, 'a.zip'), entry, join(folder, 'deep/x.so'));
    expect(readFileSync(join(folder, 'deep/x.so')).equals(content)).toBe(true);
  });

  it('refuses an entry whose CRC-32 does not fit', async () => {
    writeFileSync(join(folder, 'a.zip'), zipOf('x', Buffer.from('content'), 1));
    const entry = listZip(join(folder, 'a.zip')).get('x')!;
    await expect(extractEntry(join(folder, 'a.zip'), entry, join(folder, 'x'))).rejects.toThrow(/damaged/);
  });

  it('refuses a file that is no zip archive', () => {
    writeFileSync(join(folder, 'a.zip'), 'not a zip');
    expect(() => listZip(join(folder, 'a.zip'))).toThrow(/no zip archive/);
  });
});

describe('hashes', () => {
  it('hashes a file and checks an npm integrity', async () => {
    writeFileSync(join(folder, 'f'), 'abc');
    expect(await sha256File(join(folder, 'f'))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    const integrity = 'sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==';
    expect(matchesIntegrity(join(folder, 'f'), integrity)).toBe(true);
    expect(matchesIntegrity(join(folder, 'f'), integrity.replace('3a81', '3a82'))).toBe(false);
  });

  it('tells parts apart even where their bytes run together the same way', () => {
    const one = sha256Parts([
      { name: 'a', bytes: 'bc' },
      { name: 'd', bytes: '' },
    ]);
    const other = sha256Parts([
      { name: 'a', bytes: 'b' },
      { name: 'cd', bytes: '' },
    ]);
    expect(one).not.toBe(other);
  });

  it('gives the sources another stamp when a byte, and only when a byte, of them changes', () => {
    mkdirSync(join(folder, 'src/core'), { recursive: true });
    writeFileSync(join(folder, 'src/core/a.ts'), 'export {}');
    const before = sourceStamp(folder);
    writeFileSync(join(folder, 'src/core/a.ts'), 'export {}');
    writeFileSync(join(folder, 'README.md'), 'not a source');
    expect(sourceStamp(folder)).toBe(before);
    writeFileSync(join(folder, 'src/core/a.ts'), 'export {};');
    expect(sourceStamp(folder)).not.toBe(before);
  });
});

describe('files that appear whole', () => {
  it('writes over an older file and leaves nothing beside it', () => {
    writeWhole(join(folder, 'deep/state.json'), 'one');
    writeWhole(join(folder, 'deep/state.json'), 'two');
    expect(readFileSync(join(folder, 'deep/state.json'), 'utf8')).toBe('two');
    expect(execFileSync('ls', [join(folder, 'deep')], { encoding: 'utf8' }).trim()).toBe('state.json');
  });

  it('links a large file and replaces a link that leads to another one', () => {
    writeFileSync(join(folder, 'one'), 'large');
    writeFileSync(join(folder, 'two'), 'other');
    expect(linkOrCopy(join(folder, 'one'), join(folder, 'lib/x'))).toBe('symlink');
    expect(linkOrCopy(join(folder, 'one'), join(folder, 'lib/x'))).toBe('present');
    expect(linkOrCopy(join(folder, 'two'), join(folder, 'lib/x'))).toBe('symlink');
    expect(lstatSync(join(folder, 'lib/x')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, 'lib/x'), 'utf8')).toBe('other');
  });

  it('replaces a broken link', () => {
    writeFileSync(join(folder, 'one'), 'large');
    linkOrCopy(join(folder, 'one'), join(folder, 'x'));
    rmSync(join(folder, 'one'));
    writeFileSync(join(folder, 'two'), 'large');
    linkOrCopy(join(folder, 'two'), join(folder, 'x'));
    expect(readFileSync(join(folder, 'x'), 'utf8')).toBe('large');
  });

  it('puts a finished folder in the place of an older one', () => {
    mkdirSync(join(folder, 'old'));
    writeFileSync(join(folder, 'old/stale'), '');
    mkdirSync(join(folder, 'new'));
    writeFileSync(join(folder, 'new/fresh'), '');
    placeFolder(join(folder, 'new'), join(folder, 'old'));
    expect(existsSync(join(folder, 'old/fresh'))).toBe(true);
    expect(existsSync(join(folder, 'old/stale'))).toBe(false);
  });
});

describe('withLock', () => {
  it('lets one in at a time', async () => {
    const lock = join(folder, 'lock');
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((done) => setTimeout(done, 20));
      inside -= 1;
    };
    await Promise.all([withLock(lock, () => {}, work), withLock(lock, () => {}, work)]);
    expect(most).toBe(1);
    expect(existsSync(lock)).toBe(false);
  });

  it('takes over the lock of a process that is gone', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise((done) => child.once('close', done));
    expect(isAlive(child.pid!)).toBe(false);
    writeFileSync(join(folder, 'lock'), String(child.pid));
    expect(
      await withLock(
        join(folder, 'lock'),
        () => {},
        async () => 'done',
      ),
    ).toBe('done');
  });

  it('gives the lock back when the work fails', async () => {
    const work = async () => {
      throw new Error('no');
    };
    await expect(withLock(join(folder, 'lock'), () => {}, work)).rejects.toThrow('no');
    expect(existsSync(join(folder, 'lock'))).toBe(false);
  });
});
