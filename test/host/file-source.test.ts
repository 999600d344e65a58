import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import { filesInFolder, kindOfPath, openFileSource } from '../../src/host/file-source';

let folder: string;
const file = (name: string): string => join(folder, name);

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof TempogradError ? error.code : `bug: ${String(error)}`;
  }
  return 'none';
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tempograd-source-'));
  writeFileSync(
    file('ten.bin'),
    Uint8Array.from({ length: 10 }, (_, index) => index),
  );
  mkdirSync(file('folder'));
  symlinkSync(file('ten.bin'), file('link.bin'));
  symlinkSync(file('nothing'), file('dangling'));
  execFileSync('mkfifo', [file('pipe')]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('openFileSource', () => {
  it('reads ranges, also through a link', () => {
    for (const name of ['ten.bin', 'link.bin']) {
      const source = openFileSource(file(name));
      expect(source.size).toBe(10);
      expect([...source.read(3, 4)]).toEqual([3, 4, 5, 6]);
      expect([...source.read(10, 0)]).toEqual([]);
      source.close();
    }
  });

  it('refuses a range that leaves the file', () => {
    const source = openFileSource(file('ten.bin'));
    for (const [offset, length] of [
      [8, 3],
      [-1, 2],
      [0, -1],
      [11, 0],
    ] as const) {
      expect(codeOf(() => source.read(offset, length))).toBe('reader/truncated');
    }
    source.close();
  });

  it('tells a file that shrinks while it is open', () => {
    writeFileSync(file('shrinking'), new Uint8Array(100));
    const source = openFileSource(file('shrinking'));
    truncateSync(file('shrinking'), 10);
    expect(codeOf(() => source.read(50, 10))).toBe('reader/truncated');
    source.close();
  });

  it.each([
    ['nothing there', 'missing'],
    ['a dangling link', 'dangling'],
    ['a folder', 'folder'],
    ['a pipe, without waiting for a writer', 'pipe'],
  ])('refuses %s', (_what, name) => {
    expect(codeOf(() => openFileSource(file(name)))).toBe('reader/not-readable');
  });

  it('refuses devices', () => {
    for (const device of ['/dev/null', '/dev/zero', '/dev/tty']) {
      expect(codeOf(() => openFileSource(device))).toBe('reader/not-readable');
    }
  });

  // Root may read everything, so there is nothing to refuse it.
  if (process.getuid?.() !== 0) {
    it('refuses a file without permission', () => {
      writeFileSync(file('secret'), 'x');
      chmodSync(file('secret'), 0);
      expect(codeOf(() => openFileSource(file('secret')))).toBe('reader/not-readable');
    });
  }
});

describe('kindOfPath and filesInFolder', () => {
  it('tells files from folders', () => {
    expect(kindOfPath(file('ten.bin'))).toBe('file');
    expect(kindOfPath(folder)).toBe('folder');
    expect(codeOf(() => kindOfPath(file('pipe')))).toBe('reader/not-readable');
  });

  it('lists ordinary files only, sorted, up to a limit', () => {
    expect(filesInFolder(folder, 100)).toEqual([file('shrinking'), file('ten.bin')]);
    expect(filesInFolder(folder, 1)).toHaveLength(1);
  });
});
