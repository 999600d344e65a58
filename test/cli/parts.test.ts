/** Parts of the command that are best seen alone. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeAnalyzeOrder } from '../../src/cli/analyze-options';
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes';
import { fileNames } from '../../src/cli/layer-files';
import { limitOption } from '../../src/cli/limit-option';
import { planCleaning } from '../../src/cli/leftovers';
import { modelPath } from '../../src/cli/model-path';
import { OutputBatch } from '../../src/host/output-batch';
import { columns, jsonText, oneLine, printable } from '../../src/cli/terminal-text';
import { ERROR_CODES, TempogradError } from '../../src/core/errors';
import { listFolder, makeFolder } from './run-cli';

let folder: ReturnType<typeof makeFolder>;
const path = (...parts: string[]): string => join(folder.path, ...parts);
beforeEach(() => (folder = makeFolder()));
afterEach(() => folder.remove());

const bytes = new TextEncoder().encode('new\n');
const OLD = 'old\n';

describe('file names of layers', () => {
  it('replace what a file system may not take, and number repeats', () => {
    expect(fileNames(['lstm', 'inner/deep lstm', 'inner_deep_lstm', 'lstm#2', 'lstm'])).toEqual([
      ...['lstm', 'inner_deep_lstm', 'inner_deep_lstm-2', 'lstm_2', 'lstm-2'],
    ]);
  });

  it('never leave their folder, whatever a layer is called', () => {
    expect(fileNames(['..', '.', '', '../../etc', '.hidden'])).toEqual(['_', '_-2', '_-3', '.._.._etc', '.hidden']);
  });

  it('stay apart where a layer is called as a repeat would be', () => {
    const names = fileNames(['a', 'a', 'a-2', 'a']);
    expect(new Set(names).size).toBe(4);
  });

  it('are short enough for every file system', () => {
    expect(fileNames(['x'.repeat(5000)])[0]!.length).toBeLessThan(200);
  });
});

describe('text for a terminal', () => {
  it('keeps letters of every script and line feeds, and nothing that is obeyed', () => {
    expect(printable('ä記🧠\n')).toBe('ä記🧠\n');
    expect(printable('\u001b[2J\r\t\u0007\u009b\u202e\u2028')).toBe('\ufffd[2J'.padEnd(10, '\ufffd'));
    expect(oneLine('a\r\nb\nc')).toBe('a b c');
  });

  it('aligns columns by what a terminal shows', () => {
    expect(
      columns([
        ['a', 'x'],
        ['記憶', 'y'],
        ['e\u0301', 'z'],
      ]),
    ).toEqual(['a     x', '記憶  y', 'e\u0301     z']);
  });

  it('is JSON that reads back to the same text, and has null for what is no number', () => {
    const value = { name: '\u001b\u009b\u202e\ud800 ä', numbers: [NaN, Infinity, -Infinity, 1.5] };
    const text = jsonText(value);
    expect(printable(text)).toBe(text);
    expect(JSON.parse(text)).toEqual({ name: value.name, numbers: [null, null, null, 1.5] });
  });
});

describe('exit codes', () => {
  it('are those of docs/cli.md for every code of the list', () => {
    const codes = new Map(ERROR_CODES.map((code) => [code, exitCodeOf(new TempogradError(code, 'x'))]));
    expect(codes.get('usage/bad-option')).toBe(EXIT.usage);
    const engine = ['engine/stopped', 'engine/native-library-missing'];
    for (const [code, exit] of codes) {
      if (engine.includes(code)) expect(exit, code).toBe(EXIT.engineFailed);
      else if (code !== 'usage/bad-option') expect(exit, code).toBe(EXIT.expected);
    }
    expect(exitCodeOf(new Error('x'))).toBe(EXIT.bug);
  });
});

describe('a batch of files', () => {
  it('lets nothing appear before all are complete', async () => {
    writeFileSync(path('a'), OLD);
    const batch = new OutputBatch([]);
    const sink = batch.openSink(path('a'));
    sink.write(0, bytes);
    await sink.commit();
    await batch.addText(path('b'), 'text\n');
    expect(readFileSync(path('a'), 'utf8')).toBe(OLD);
    expect(existsSync(path('b'))).toBe(false);
    await batch.commit();
    expect(readFileSync(path('a'), 'utf8')).toBe('new\n');
    expect(listFolder(folder.path)).toEqual(['a', 'b']);
  });

  it('drops all of them, and the folders it made, where one fails', async () => {
    writeFileSync(path('a'), OLD);
    const batch = new OutputBatch([]);
    batch.makeFolder(path('deep/er'));
    await batch.addText(path('a'), 'new\n');
    batch.openSink(path('deep/er/b')).write(0, bytes);
    await batch.abort();
    expect(listFolder(folder.path)).toEqual(['a']);
    expect(readFileSync(path('a'), 'utf8')).toBe(OLD);
  });

  it('keeps a folder that was there before', async () => {
    mkdirSync(path('mine'));
    const batch = new OutputBatch([]);
    batch.makeFolder(path('mine/new'));
    await batch.abort();
    expect(listFolder(folder.path)).toEqual(['mine']);
  });

  it('says before the run what could not be written, and takes no name by that', async () => {
    const batch = new OutputBatch([path('input')]);
    await expect(batch.check([path('a'), path('a')])).rejects.toThrow(/named twice/);
    await expect(new OutputBatch([path('input')]).check([path('input')])).rejects.toThrow(/named twice/);
    const good = new OutputBatch([]);
    await good.check([path('a'), path('b')]);
    expect(listFolder(folder.path)).toEqual([]);
    await good.addText(path('a'), 'new\n');
    await good.commit();
    expect(listFolder(folder.path)).toEqual(['a']);
  });
});

describe('after a worker that was killed', () => {
  it('its temporary files and empty folders go, everything else stays', () => {
    mkdirSync(path('mine'));
    const order = makeAnalyzeOrder('model', {
      ...{ wrt: 'layer-input', header: true, layer: 'all' },
      ...{ out: path('all'), csv: path('tables'), report: path('mine/run.html'), json: path('mine/run.json') },
    });
    const clean = planCleaning(order);
    mkdirSync(path('all'));
    mkdirSync(path('tables/lstm'), { recursive: true });
    const temporary = (name: string, pid: number): string => `.${name}.${pid}-0123456789ab.tmp`;
    const ours = [path('all', temporary('lstm.npz', 77)), path('tables/lstm', temporary('h.csv', 77))];
    const others = [path('mine', temporary('run.html', 78)), path('mine/notes.txt')];
    for (const file of [...ours, path('mine', temporary('run.json', 77)), ...others]) writeFileSync(file, OLD);
    clean(77);
    expect(listFolder(folder.path)).toEqual([
      'mine',
      join('mine', temporary('run.html', 78)),
      join('mine', 'notes.txt'),
    ]);
  });
});

describe('the path of a model', () => {
  it('may be the prefix of a checkpoint, where no file has this very name', () => {
    writeFileSync(path('ckpt-1.index'), OLD);
    expect(modelPath(path('ckpt-1'))).toBe(path('ckpt-1.index'));
    expect(modelPath(path('ckpt-2'))).toBe(path('ckpt-2'));
    writeFileSync(path('ckpt-1'), OLD);
    expect(modelPath(path('ckpt-1'))).toBe(path('ckpt-1'));
  });
});

describe('--limit', () => {
  const parse = (text: string): unknown => limitOption().parseArg!(text, undefined);

  it('takes any whole number that a computer counts exactly, and names the largest', () => {
    expect(parse('maxJsonBytes=9007199254740991')).toEqual({ maxJsonBytes: Number.MAX_SAFE_INTEGER });
    expect(() => parse('maxJsonBytes=2000000000000000000')).toThrow(/from 1 to 9007199254740991/);
    expect(() => parse('maxJsonBytes=0')).toThrow(/from 1 to/);
  });
});
