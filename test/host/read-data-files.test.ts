/** The arrays of a run under the caps that a user sets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDataFiles } from '../../src/host/read-data-files';
import type { DataFiles } from '../../src/host/reader-messages';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tempograd-data-'));
  writeFileSync(join(folder, 'x.csv'), '1,2\n3,4\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function table(): DataFiles {
  const input = { kind: 'file', path: join(folder, 'x.csv'), key: null, header: false } as const;
  return { input, maskFile: null, initialStateFile: null };
}

describe('readDataFiles', () => {
  it.each([
    ['maxCsvBytes', 7, 8],
    ['maxInputValues', 3, 4],
  ] as const)('holds a table against %s', async (name, below, enough) => {
    await expect(readDataFiles(table(), { [name]: below })).rejects.toMatchObject({
      code: 'reader/limit-exceeded',
      details: { limit: name, allowed: below, value: enough },
    });
    expect((await readDataFiles(table(), { [name]: enough })).inputShape).toEqual([2, 2]);
  });
});
