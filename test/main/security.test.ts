import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';

const app = { isPackaged: false };
vi.mock('electron', () => ({ app, protocol: {} }));

const { isLocal, isOwnPage } = await import('../../src/main/security');

const SOURCE = fileURLToPath(new URL('../../src', import.meta.url));

function sources(folder: string): string[] {
  const entries = readdirSync(join(SOURCE, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.(ts|vue)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('isLocal', () => {
  it.each(['app://bundle/index.html', 'data:text/plain,x', 'blob:app://bundle/1'])('lets %s through', (url) => {
    expect(isLocal(url)).toBe(true);
  });

  it.each([
    'https://example.org/',
    'http://127.0.0.1/',
    'ws://localhost/',
    'wss://example.org/',
    'file:///etc/passwd',
    'ftp://example.org/',
    'chrome://gpu/',
    'javascript:alert(1)',
    '//example.org',
    '',
  ])('cancels %j', (url) => {
    expect(isLocal(url)).toBe(false);
  });

  it('lets the debugger load its own pages only in a checkout', () => {
    expect(isLocal('devtools://devtools/x')).toBe(true);
    app.isPackaged = true;
    expect(isLocal('devtools://devtools/x')).toBe(false);
  });
});

describe('isOwnPage', () => {
  it.each([
    ['app://bundle/index.html', true],
    ['app://bundle', true],
    ['app://bundle.evil/index.html', false],
    ['app://bundlex/', false],
    ['https://bundle/', false],
    ['about:blank', false],
    ['', false],
  ])('%s: %s', (url, expected) => {
    expect(isOwnPage(url)).toBe(expected);
  });
});

describe('the source', () => {
  it.each(['main/index.ts', 'main/engine-process.ts', 'main/reader-process.ts', 'cli/index.ts'])(
    'blocks the network before anything else in %s',
    (entry) => {
      const [first] = readFileSync(join(SOURCE, entry), 'utf8').match(/^import .*$/m) ?? [];
      expect(first).toBe("import '../host/block-network';");
    },
  );

  it('opens nothing outside itself: no browser, no updater, no crash reports', () => {
    const found = ['main', 'preload', 'renderer', 'host']
      .flatMap(sources)
      .filter((path) => /openExternal|autoUpdater|crashReporter|electron-updater/.test(readFileSync(path, 'utf8')));
    expect(found).toEqual([]);
  });

  it('never weakens what Electron sets by itself', () => {
    const weak =
      /webSecurity|allowRunningInsecureContent|experimentalFeatures|enableBlinkFeatures|webviewTag|nodeIntegration: true|sandbox: false|contextIsolation: false/;
    expect(sources('main').filter((path) => weak.test(readFileSync(path, 'utf8')))).toEqual([]);
  });
});
