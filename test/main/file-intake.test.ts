import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import { modelOfFolder, roleOf } from '../../src/host/file-role';
import { openGiven, type IntakeOptions } from '../../src/main/file-intake';
import type { ModelSession } from '../../src/main/model-session';

const HDF5 = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0);
const NPY = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 0, 0);

/** The first local header of a zip file whose first entry has a name. */
function zip(name: string): Uint8Array {
  const bytes = new Uint8Array(30 + name.length);
  bytes.set([0x50, 0x4b, 3, 4]);
  bytes[26] = name.length;
  bytes.set(new TextEncoder().encode(name), 30);
  return bytes;
}

let folder: string;
let done: string[];
let current: object | null;
let options: IntakeOptions;
const path = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tempograd-intake-'));
  for (const name of ['one', 'two', 'none']) mkdirSync(path(name));
  const files: Record<string, Uint8Array | string> = {
    'a.h5': HDF5,
    'b.keras': zip('metadata.json'),
    'x.npy': NPY,
    'x.npz': zip('x.npy'),
    't.csv': 'a,b\n1,2\n',
    'notes.keras': 'no model',
    'empty.h5': '',
    'one/last.keras': zip('config.json'),
    'one/data.npz': zip('x.npy'),
    'two/a.h5': HDF5,
    'two/b.h5': HDF5,
    'none/readme.txt': 'x',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(path(name), content);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(() => {
  done = [];
  current = null;
  const model = {
    get current() {
      return current;
    },
    open: (file: string, _choices: unknown, limits: object = {}) => {
      done.push(`open ${file.slice(folder.length + 1)}`);
      if (done.includes('exceeds') && Object.keys(limits).length < 2) {
        const details = { limit: 'maxZipRatio', value: 900, allowed: 200 };
        return Promise.reject(new TempogradError('reader/limit-exceeded', 'too much', { details }));
      }
      return Promise.resolve({ path: file });
    },
    describeData: (file: string) => {
      if (file.endsWith('.csv') && done.includes('fail'))
        return Promise.reject(new TempogradError('input/not-readable', 'no'));
      done.push(`describe ${file.slice(folder.length + 1)}`);
      return Promise.resolve({ path: file });
    },
  } as unknown as ModelSession;
  options = { model, onModelChange: () => done.push('changed'), onOpened: () => done.push('remembered') };
});

const open = (...names: string[]) => openGiven(options, names.map(path));

describe('roleOf', () => {
  it.each([
    ['a.h5', 'model'],
    ['b.keras', 'model'],
    ['x.npy', 'data'],
    ['x.npz', 'data'],
    ['t.csv', 'data'],
    ['notes.keras', null],
    ['empty.h5', null],
  ])('takes %s as %s, by its content', (name, role) => {
    expect(roleOf(path(name))).toBe(role);
  });
});

describe('modelOfFolder', () => {
  it('gives the one model in it', () => {
    expect(modelOfFolder(path('one'))).toBe(path('one/last.keras'));
  });

  it('names the models when there are several, and says when there is none', () => {
    expect(() => modelOfFolder(path('two'))).toThrowError(
      expect.objectContaining({ code: 'reader/unknown-format', remedy: 'Give one of them: a.h5, b.h5.' }),
    );
    expect(() => modelOfFolder(path('none'))).toThrowError(expect.objectContaining({ code: 'reader/unknown-format' }));
  });
});

describe('openGiven', () => {
  it('opens a model and takes data with it, whatever their order', async () => {
    const outcome = await open('x.npy', 'a.h5');
    expect(done).toEqual(['describe x.npy', 'open a.h5', 'changed', 'remembered']);
    expect(outcome).toEqual({ model: { path: path('a.h5') }, data: { path: path('x.npy') }, choice: null });
  });

  it('takes data for the model that is open', async () => {
    current = {};
    expect(await open('t.csv')).toEqual({ model: null, data: { path: path('t.csv') }, choice: null });
    expect(done).toEqual(['describe t.csv']);
  });

  it('reads data as a model when none is open, and what is neither, for the sake of its message', async () => {
    await open('t.csv');
    await open('notes.keras');
    expect(done.filter((line) => line.startsWith('open'))).toEqual(['open t.csv', 'open notes.keras']);
  });

  it('goes into a folder', async () => {
    await open('one');
    expect(done[0]).toBe('open one/last.keras');
  });

  it('opens nothing when the data cannot be read', async () => {
    done.push('fail');
    await expect(open('a.h5', 't.csv')).rejects.toMatchObject({ code: 'input/not-readable' });
    expect(done).toEqual(['fail']);
  });

  it('says of what exceeds a limit what was given and what was raised already, and raises what it is told to', async () => {
    done.push('exceeds');
    const paths = [path('a.h5'), path('x.npy')];
    const limits = { maxZipEntries: 20_000 };
    await expect(openGiven(options, paths, limits)).rejects.toMatchObject({
      code: 'reader/limit-exceeded',
      message: 'too much',
      details: { limit: 'maxZipRatio', value: 900, allowed: 200, paths, limits },
    });
    const outcome = await openGiven(options, paths, { ...limits, maxZipRatio: 1000 });
    expect(outcome.model).toEqual({ path: path('a.h5') });
  });

  it('knows no other limits', async () => {
    await expect(openGiven(options, [path('a.h5')], { maxPatience: 2 })).rejects.toMatchObject({
      code: 'usage/bad-option',
      message: 'There is no limit maxPatience',
    });
    expect(done).toEqual([]);
  });

  it('opens none of several models, but says what they are, with the data that came along', async () => {
    const outcome = await open('b.keras', 'x.npy', 'a.h5');
    expect(outcome).toEqual({
      model: null,
      data: null,
      choice: {
        models: [
          { path: path('a.h5'), fileName: 'a.h5', folder: '', kind: 'Keras, HDF5', bytes: 12 },
          { path: path('b.keras'), fileName: 'b.keras', folder: '', kind: 'Keras', bytes: 43 },
        ],
        dataPath: path('x.npy'),
      },
    });
    expect(done).toEqual([]);
  });

  it('offers the models of a folder, and says where they lie when that differs', async () => {
    const two = (await open('two')).choice!.models;
    expect(two.map(({ fileName, folder }) => [fileName, folder])).toEqual([
      ['a.h5', ''],
      ['b.h5', ''],
    ]);
    const three = (await open('two', 'one')).choice!.models;
    expect(three.map(({ fileName, folder }) => [fileName, folder])).toEqual([
      ['last.keras', 'one'],
      ['a.h5', 'two'],
      ['b.h5', 'two'],
    ]);
  });

  it('counts a file once that is given twice', async () => {
    const outcome = await open('a.h5', 'a.h5');
    expect(outcome.model).toEqual({ path: path('a.h5') });
  });

  it('refuses what is not there', async () => {
    await expect(open('missing')).rejects.toMatchObject({ code: 'reader/not-readable' });
    expect(done).toEqual([]);
  });
});
