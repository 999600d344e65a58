import { fork } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSettings, saveSettings, withRecentFile } from '../../src/host/settings';
import { settingsSchema } from '../../src/shared/contract';

const DEFAULTS = settingsSchema.parse({});
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tempograd-settings-'));
  path = join(folder, 'deep', 'settings.json');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('settings', () => {
  it('are defaults where there is no file', () => {
    expect(loadSettings(path)).toEqual({ settings: DEFAULTS, problem: null });
  });

  it('survive a round trip', () => {
    const settings = {
      ...DEFAULTS,
      theme: 'dark' as const,
      zoom: 1.5,
      window: { x: 1, y: 2, width: 900, height: 700, maximized: true },
    };
    saveSettings(path, settings);
    expect(loadSettings(path)).toEqual({ settings, problem: null });
  });

  it.each(['', '{', '[]', '{"theme":"purple"}', '{"zoom":1e9}', '\0\0\0'])('put a damaged file aside: %j', (text) => {
    saveSettings(path, DEFAULTS);
    writeFileSync(path, text);
    const { settings, problem } = loadSettings(path);
    expect(settings).toEqual(DEFAULTS);
    expect(problem).toContain('settings.json.bad');
    expect(readFileSync(`${path}.bad`, 'utf8')).toBe(text);
    expect(existsSync(path)).toBe(false);
    expect(loadSettings(path).problem).toBeNull();
  });

  it('keep ten recent files, newest first, each once', () => {
    let settings = DEFAULTS;
    for (let index = 0; index < 12; index++) settings = withRecentFile(settings, `/m${index}`);
    settings = withRecentFile(settings, '/m5');
    expect(settings.recentFiles).toEqual(['/m5', '/m11', '/m10', '/m9', '/m8', '/m7', '/m6', '/m4', '/m3', '/m2']);
  });

  it('are the old or the new ones, never half, when the writer is killed at any moment', async () => {
    saveSettings(path, DEFAULTS);
    // Plain JavaScript around the same library call, because a child process does not run TypeScript.
    const writer = join(folder, 'writer.mjs');
    const library = import.meta.resolve('write-file-atomic');
    writeFileSync(
      writer,
      `import write from ${JSON.stringify(library)};
       process.send('started');
       for (let zoom = 0; ; zoom = (zoom + 1) % 4) write.sync(${JSON.stringify(path)}, JSON.stringify({ theme: 'dark', zoom, recentFiles: Array(10).fill('/x'.repeat(5000)) }));`,
    );
    for (let round = 0; round < 12; round++) {
      const child = fork(writer);
      await new Promise((resolve) => child.once('message', resolve));
      await new Promise((resolve) => setTimeout(resolve, 5 + round * 3));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      expect(loadSettings(path).problem).toBeNull();
    }
    expect(readdirSync(join(folder, 'deep'))).not.toContain('settings.json.bad');
  });
});
