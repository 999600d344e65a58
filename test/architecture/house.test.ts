/** The habits of the house that a machine can check: names, docstrings, sizes, what may be named where. */
import { describe, expect, it } from 'vitest';
import { exportsOf, readFiles, type SourceFile } from './source-files';

const SOURCES = readFiles('src', ['.ts', '.vue']);
const SCRIPTS = SOURCES.filter(({ path }) => path.endsWith('.ts'));
const EVERYTHING = ['bin', 'docs', 'scripts', 'src', 'test', '.ci'].flatMap((folder) =>
  readFiles(folder, ['.ts', '.vue', '.mjs', '.cjs', '.js', '.py', '.md', '.html', '.css', '.json', 'run']),
);

/** Places "path:line" where a pattern occurs. */
function occurrences(files: readonly SourceFile[], pattern: RegExp): readonly string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1}`] : [])),
  );
}

/** The comment at the very top of a file. */
function headerOf({ text }: SourceFile): string {
  const script = text.replace(/^<script[^>]*>\s*/, '');
  return /^(?:#![^\n]*\n)?\s*\/\*\*([\s\S]*?)\*\//.exec(script)?.[1] ?? '';
}

describe('exports', () => {
  it('each has a docstring', () => {
    const bare = SCRIPTS.flatMap((file) =>
      exportsOf(file)
        .filter(({ comment, isDefault }) => comment === '' && !isDefault)
        .map(({ name, line }) => `${file.path}:${line} ${name}`),
    );
    expect(bare).toEqual([]);
  });

  it('each first line says what is returned, not that this function does so', () => {
    const wordy = SCRIPTS.flatMap((file) =>
      exportsOf(file)
        .filter(({ comment }) => /^\/\*\*\s*\*?\s*(This (function|class|method)|Function that)/i.test(comment))
        .map(({ name, line }) => `${file.path}:${line} ${name}`),
    );
    expect(wordy).toEqual([]);
  });

  it('none is a default export', () => {
    const defaults = SCRIPTS.filter((file) => exportsOf(file).some(({ isDefault }) => isDefault));
    expect(defaults.map(({ path }) => path)).toEqual([]);
  });
});

describe('files', () => {
  it('are kebab-case, components PascalCase, and none is called utils', () => {
    const misnamed = SOURCES.filter(({ path }) => {
      const name = path.split('/').at(-1) ?? '';
      if (name.endsWith('.vue')) return !/^[A-Z][A-Za-z0-9]*\.vue$/.test(name);
      return !/^[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/.test(name) || /^(utils?|helpers?|misc|common)\./.test(name);
    });
    expect(misnamed.map(({ path }) => path)).toEqual([]);
  });

  it('begin with what they are', () => {
    expect(SOURCES.filter((file) => headerOf(file).trim() === '').map(({ path }) => path)).toEqual([]);
  });

  it('stay readable: above 300 lines the header gives a reason', () => {
    const long = SOURCES.filter(
      (file) => file.text.split('\n').length > 301 && !/\blong\b|one table/i.test(headerOf(file)),
    );
    expect(long.map(({ path, text }) => `${path}: ${text.split('\n').length - 1}`)).toEqual([]);
  });
});

describe('what may be named where', () => {
  it('ipcMain in src/main/ipc.ts only', () => {
    const named = occurrences(SCRIPTS, /\bipcMain\b/).filter((place) => !/^src\/main\/(ipc)\.ts:/.test(place));
    expect(named).toEqual([]);
  });

  it('the bridge of the window in src/renderer/api.ts only', () => {
    const named = occurrences(SOURCES, /window\.tempograd\b/).filter(
      (place) => !/^src\/(renderer\/api\.ts|shared\/contract\.ts|preload\/)/.test(place),
    );
    expect(named).toEqual([]);
  });

  it('no registry by its host, no path of one machine', () => {
    const hosts = [
      ['registry', 'npmjs', 'org'],
      ['pypi', 'org'],
      ['files', 'pythonhosted', 'org'],
      ['registry', 'yarnpkg', 'com'],
    ];
    const pattern = new RegExp(
      [...hosts.map((parts) => parts.join('\\.')), ['', 'work', '(main|tmp|shared|briefs)'].join('/')].join('|'),
    );
    expect(occurrences(EVERYTHING, pattern)).toEqual([]);
  });

  it('no code that is commented out, no work left for later', () => {
    const later = new RegExp(`\\b(${['TO', 'FIX'].map((word) => `${word}DO|${word}ME`).join('|')})\\b`);
    expect(occurrences(SOURCES, later)).toEqual([]);
    expect(occurrences(SOURCES, /^\s*\/\/.*[;{]\s*$/)).toEqual([]);
  });
});
