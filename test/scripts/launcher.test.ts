import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tempograd-launcher-'));
  mkdirSync(join(folder, 'bin'));
  copyFileSync(fileURLToPath(new URL('../../bin/tempograd.mjs', import.meta.url)), join(folder, 'bin/tempograd.mjs'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const launch = (...args: string[]) =>
  spawnSync(process.execPath, [join(folder, 'bin/tempograd.mjs'), ...args], { encoding: 'utf8', timeout: 20_000 });

describe('bin/tempograd.mjs', () => {
  it('hands every command to the built command line', () => {
    mkdirSync(join(folder, 'out/main'), { recursive: true });
    writeFileSync(join(folder, 'out/main/cli.js'), 'console.log(JSON.stringify(process.argv.slice(2)));');
    const { stdout, status } = launch('inspect', 'a model.keras', '--json');
    expect(JSON.parse(stdout)).toEqual(['inspect', 'a model.keras', '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(launch('open', '--help').stdout)).toEqual(['open', '--help']);
  });

  it('says what to run where nothing is built and nothing can build it', () => {
    const { stdout, stderr, status } = launch('inspect', 'model.keras');
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^tempograd: the program is not built yet.*npm run setup && npm run build\n$/);
  });
});
