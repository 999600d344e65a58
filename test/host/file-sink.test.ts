/** Result files: whole or not at all, and never in the place of something that is no file. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileSink } from '../../src/host/file-sink';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sink-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function listen(path: string): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer().listen(path, () => resolve(server));
  });
}

describe('openFileSink', () => {
  it('leaves the old file until commit, and nothing else after it', async () => {
    const path = join(folder, 'run.npz');
    writeFileSync(path, 'old');
    const sink = openFileSink(path);
    sink.write(0, new TextEncoder().encode('new'));
    expect(readFileSync(path, 'utf8')).toBe('old');
    await sink.commit();
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['run.npz']);
  });

  it('leaves nothing after abort', async () => {
    const sink = openFileSink(join(folder, 'run.npz'));
    sink.write(0, new Uint8Array(8));
    await sink.abort();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['a folder', ''],
    ['a name below a file', 'file.txt/run.npz'],
    ['a name that is too long', 'x'.repeat(5000)],
  ])('refuses %s by code', (_what, name) => {
    writeFileSync(join(folder, 'file.txt'), 'text');
    expect(() => openFileSink(join(folder, name))).toThrow(expect.objectContaining({ code: 'output/not-writable' }));
  });

  it.skipIf(process.platform === 'win32')('refuses a socket, which stays', async () => {
    const path = join(folder, 'socket');
    const server = await listen(path);
    expect(() => openFileSink(path)).toThrow(expect.objectContaining({ code: 'output/not-writable' }));
    expect(readdirSync(folder)).toEqual(['socket']);
    server.close();
  });
});
