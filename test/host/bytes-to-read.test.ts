import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bytesToRead } from '../../src/host/bytes-to-read';

const scratch = mkdtempSync(join(tmpdir(), 'tempograd-bytes-'));
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** A folder with files of these sizes. */
function folderOf(name: string, sizes: Readonly<Record<string, number>>): string {
  for (const [file, size] of Object.entries(sizes)) {
    const path = join(scratch, name, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, Buffer.alloc(size));
  }
  return join(scratch, name);
}

describe('the bytes that stand for a model', () => {
  const saved = {
    'saved_model.pb': 10,
    'variables/variables.index': 5,
    'variables/variables.data-00000-of-00001': 1000,
  };
  const checkpoint = {
    'a.index': 7,
    'a.data-00000-of-00002': 100,
    'a.data-00001-of-00002': 50,
    'b.data-00000-of-00001': 9,
  };
  const shards = { 'model.json': 20, 'w1.bin': 300, 'w2.bin': 200, 'film.mp4': 5000 };

  it.each<[string, Readonly<Record<string, number>>, string, number]>([
    ['a SavedModel with its variables', saved, '', 1015],
    ['the graph of one', saved, 'saved_model.pb', 1015],
    ['a graph without variables', { 'saved_model.pb': 10 }, '', 10],
    ['a checkpoint with its shards, not those of another', checkpoint, 'a.index', 157],
    ['an index with the weights beside it, nothing else', shards, 'model.json', 520],
    ['one file alone', { 'a.pt': 30, 'b.bin': 7 }, 'a.pt', 30],
  ])('are those of %s', (name, sizes, file, expected) => {
    expect(bytesToRead(join(folderOf(name.replaceAll(/\W/g, '-'), sizes), file))).toBe(expected);
  });

  it('are asked of something that is there', () => {
    expect(() => bytesToRead(join(scratch, 'none'))).toThrow(expect.objectContaining({ code: 'reader/not-readable' }));
  });
});
