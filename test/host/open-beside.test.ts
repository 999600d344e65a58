import { linkSync, mkdtempSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { neighboursOf } from '../../src/host/open-beside';

const folder = mkdtempSync(join(tmpdir(), 'tempograd-beside-'));
mkdirSync(join(folder, 'inner'));
writeFileSync(join(folder, 'inner', 'model.json'), '{}');
writeFileSync(join(folder, 'secret.json'), '{}');
symlinkSync(join(folder, 'secret.json'), join(folder, 'inner', 'link.json'));
linkSync(join(folder, 'secret.json'), join(folder, 'inner', 'hard.json'));
mkdirSync(join(folder, 'inner', 'variables'));
writeFileSync(join(folder, 'inner', 'variables', 'variables.index'), 'index');
mkdirSync(join(folder, 'outside'));
writeFileSync(join(folder, 'outside', 'data'), 'data');
symlinkSync(join(folder, 'outside'), join(folder, 'inner', 'linked'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('neighboursOf', () => {
  const neighbours = neighboursOf(join(folder, 'inner', 'weights.h5'));

  it('opens an ordinary file of the same folder', () => {
    const source = neighbours.open('model.json');
    expect(Buffer.from(source!.read(0, 2)).toString()).toBe('{}');
    neighbours.close();
    expect(() => source!.read(0, 2)).toThrow();
  });

  it('opens a file in a folder inside', () => {
    expect(neighbours.open('variables/variables.index')!.size).toBe(5);
    neighbours.close();
  });

  it.each(['linked/data', 'variables/../../secret.json', 'variables', 'hard.json', 'a'.repeat(300), 'C:x'])(
    'leads nowhere for %j',
    (name) => {
      expect(neighbours.open(name)).toBeNull();
    },
  );

  it.each(['../secret.json', '..', '.', '', 'link.json', 'nothing.json', '/etc/hostname', 'a\0b'])(
    'gives nothing for %j',
    (name) => {
      expect(neighbours.open(name)).toBeNull();
    },
  );
});
