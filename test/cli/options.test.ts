/** What the options of `tempograd analyze` do, seen from outside. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Summary } from '../../src/core/summary';
import { readNpz, type NpyArray } from '../support/read-npz';
import {
  fixtureArrays,
  fixtureModel,
  inParallel,
  listFolder,
  makeFolder,
  ROOT,
  runCli,
  writeNpy,
  type Ended,
} from './run-cli';

const folder = makeFolder();
const path = (...parts: string[]): string => join(folder.path, ...parts);
const sample = (name: string): string => join(ROOT, 'resources/samples', name);

const LSTM = fixtureModel('keras3-lstm');
const IDS = fixtureModel('keras3-mask-embedding-lstm');
const VANISHING = sample('vanishing-lstm.keras');
const WHOLE = ['--steps', '30', '--batch', '2', '--seed', '7'];

/** Commands by name; files are named in the folder of the test. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  whole: [
    LSTM,
    ...WHOLE,
    '--out',
    'a.npz',
    '--csv',
    'csv',
    '--report',
    'a.html',
    '--json=a.json',
    '--trace',
    'a.trace',
    '--progress',
    'json',
  ],
  again: [LSTM, ...WHOLE, '--out', 'b.npz', '--json', '--progress', 'none'],
  otherSeed: [LSTM, '--steps', '30', '--batch', '2', '--seed', '8', '--out', 'c.npz'],
  native: [VANISHING, '--steps', '60', '--engine', 'tensorflow', '--out', 'n1.npz', '--json'],
  nativeAgain: [VANISHING, '--steps', '60', '--engine', 'tensorflow', '--out', 'n2.npz', '--json'],
  defaults: [VANISHING, '--json'],
  failOn: [VANISHING, '--steps', '60', '--fail-on', 'exploding,vanishing'],
  failOnOther: [VANISHING, '--steps', '60', '--fail-on', 'exploding'],
  all: [
    fixtureModel('keras3-stacked-three', 'model.h5'),
    '--layer',
    'all',
    ...WHOLE,
    '--out',
    'all',
    '--csv',
    'all-csv',
    '--json',
  ],
  allText: [fixtureModel('keras3-stacked-three', 'model.h5'), '--layer', 'all', '--steps', '20'],
  byNumber: [fixtureModel('keras3-stacked-three', 'model.h5'), '--layer', '2', '--steps', '20', '--json'],
  byLastPart: [fixtureModel('keras3-nested-twice'), '--layer', 'core', '--steps', '20', '--json'],
  ambiguous: [fixtureModel('keras3-same-name-twice'), '--layer', 'memory', '--json'],
  noSuchLayer: [LSTM, '--layer', 'nothing', '--json'],
  notRecurrent: [LSTM, '--layer', '0', '--json'],
  diagonal: [LSTM, ...WHOLE, '--mode', 'diagonal', '--out', 'diagonal.npz', '--json'],
  final: [LSTM, ...WHOLE, '--mode', 'final', '--out', 'final.npz', '--json'],
  states: [LSTM, ...WHOLE, '--mode', 'states', '--out', 'states.npz', '--json'],
  warmUp: [LSTM, ...WHOLE, '--warm-up', '10', '--span', '500', '--json'],
  csvHeader: [LSTM, '--input', 'header.csv', '--out', 'header.npz', '--json'],
  csvPlain: [LSTM, '--input', 'plain.csv', '--out', 'plain.npz', '--json'],
  csvNoHeader: [LSTM, '--input', 'plain.csv', '--no-header', '--out', 'no-header.npz', '--json'],
  npy: [LSTM, '--input', 'input.npy', '--out', 'npy.npz', '--json'],
  npz: [LSTM, '--input', fixtureArrays('keras3-lstm'), '--key', 'input', '--out', 'npz.npz', '--json'],
  ids: [IDS, '--input', 'ids.npy', '--out', 'ids.npz', '--json'],
  randomIds: [IDS, '--steps', '12', '--out', 'random-ids.npz', '--json'],
  atLayer: [VANISHING, '--at-layer', '--steps', '17', '--batch', '3', '--out', 'at-layer.npz', '--json'],
  masked: [LSTM, '--at-layer', '--steps', '6', '--batch', '2', '--mask', 'mask.npy', '--out', 'masked.npz', '--json'],
  initial: [
    LSTM,
    '--at-layer',
    '--steps',
    '6',
    '--initial-state',
    fixtureArrays('keras3-lstm-initial-state'),
    '--batch',
    '2',
    '--out',
    'initial.npz',
    '--json',
  ],
  modelInput: [VANISHING, '--wrt', 'model-input', '--steps', '20', '--out', 'model-input.npz', '--json'],
  custom: [fixtureModel('keras3-custom-below'), '--json'],
  beyond: [
    join(ROOT, 'test/fixtures/long/gru-beyond-float64/model.keras'),
    ...[
      '--input',
      join(ROOT, 'test/fixtures/long/gru-beyond-float64/expected.npz'),
      '--key',
      'input',
      '--mode',
      'final',
    ],
    ...['--out', 'beyond.npz', '--json'],
  ],
  allMasked: [
    fixtureModel('keras3-mask-one-sequence-all-masked', 'model.keras'),
    ...['--input', fixtureArrays('keras3-mask-one-sequence-all-masked'), '--key', 'input', '--json'],
  ],
  customAtLayer: [fixtureModel('keras3-custom-below'), '--at-layer', '--steps', '12', '--json'],
};

const results = new Map<string, Ended>();
const resultOf = (name: string): Ended => results.get(name)!;
const summaryOf = (name: string): Summary => JSON.parse(resultOf(name).out) as Summary;
const errorOf = (name: string): { code: string; message: string; remedy: string } =>
  (JSON.parse(resultOf(name).out) as { error: { code: string; message: string; remedy: string } }).error;
const arraysOf = (name: string): Map<string, NpyArray> => readNpz(readFileSync(path(name)));

beforeAll(async () => {
  const rows = Array.from({ length: 14 }, (_, row) => [row / 7, -row / 3, (row % 4) + 0.25].join(','));
  writeFileSync(path('header.csv'), ['speed,load,heat', ...rows].join('\n'));
  writeFileSync(path('plain.csv'), rows.join('\n'));
  const input = readNpz(readFileSync(fixtureArrays('keras3-lstm'))).get('input')!;
  writeNpy(path('input.npy'), 'float64', input.shape, [...input.data]);
  writeNpy(path('ids.npy'), 'int32', [7], [1, 2, 3, 1, 2, 0, 0]);
  writeNpy(path('mask.npy'), 'float32', [2, 6], [1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0]);
  await inParallel(Object.entries(COMMANDS), async ([name, args]) => {
    results.set(name, await runCli(['analyze', ...args], { cwd: folder.path }));
  });
}, 240_000);
afterAll(() => folder.remove());

describe('outputs', () => {
  it('appear under their names, with nothing beside them', () => {
    expect({ code: resultOf('whole').code }).toEqual({ code: 0 });
    for (const name of ['a.npz', 'a.html', 'a.json', 'a.trace']) expect(existsSync(path(name)), name).toBe(true);
    expect(listFolder(folder.path).filter((name) => /\.tmp$|partial/.test(name))).toEqual([]);
  });

  it('print the verdict first, and the files last, where no JSON is asked for', () => {
    const lines = resultOf('whole').out.trimEnd().split('\n');
    expect(lines[0]).toMatch(
      /^memory {2}LSTM \d+ <- 3, forward; 2 × 30 steps of random input, seed 7; reference engine in /,
    );
    expect(lines[1]).toMatch(
      /^ {2}h {2}vanishing {2}slope −\S+ ± \S+ nats\/step {2}half-life \S+ {2}horizon .+ {2}confidence > 99 %$/,
    );
    expect(lines[2]).toMatch(/^ {2}c {2}vanishing/);
    expect(lines.at(-1)).toBe('written: a.npz, csv, a.json, a.html, a.trace');
  });

  it('--json=FILE holds what --json prints', () => {
    const whole = JSON.parse(readFileSync(path('a.json'), 'utf8')) as Summary;
    const { run, ...rest } = summaryOf('again');
    expect({ ...whole, run: { ...whole.run, seconds: 0 } }).toEqual({ ...rest, run: { ...run, seconds: 0 } });
  });

  it('--csv has the numbers of --out, array by array', () => {
    const arrays = arraysOf('a.npz');
    const files = listFolder(path('csv'));
    const named = [...arrays.keys()].filter((name) => !name.startsWith('scale_')).map((name) => `${name}.csv`);
    expect(files).toEqual(named.sort());
    for (const name of ['x', 'h', 'c', 'gate_f', 'dh_dx', 'dcT_dx', 'lognorm_dhT_dx']) {
      const [head, ...rows] = readFileSync(path('csv', `${name}.csv`), 'utf8')
        .trim()
        .split('\n');
      const columns = head!.split(',');
      const { shape, data } = arrays.get(name)!;
      const isNorm = name.startsWith('lognorm');
      const isFinal = name.startsWith('dcT');
      const isBlock = name.startsWith('d');
      const expectedColumns = isNorm
        ? ['sequence', 'timestep', 'direction', 'value']
        : isBlock
          ? ['sequence', 'timestep', 'unit', 'feature', 'value', ...(isFinal ? ['scale'] : [])]
          : ['sequence', 'timestep', name === 'x' ? 'feature' : 'unit', 'value'];
      expect(columns, name).toEqual(expectedColumns);
      expect(rows.length, name).toBe(data.length);
      const axes = isNorm ? 2 : shape.length;
      for (const row of rows) {
        const cells = row.split(',');
        const place = cells.slice(0, axes).reduce((index, cell, axis) => index * shape[axis]! + Number(cell), 0);
        const value = Number(cells[columns.indexOf('value')]);
        expect(isNorm ? value : Math.fround(value)).toBe(data[place]);
      }
    }
  });

  it('--report is one page with the verdict and nothing to load', () => {
    const page = readFileSync(path('a.html'), 'utf8');
    expect(page).toMatch(/^<!doctype html>/i);
    expect(page).toContain('vanishing');
    expect(page).not.toMatch(/<script|<link|(src|href)="(?!#|data:)/i);
  });

  it('--progress json has one event a line, from the start to the verdict', () => {
    const events = resultOf('whole')
      .err.trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const kinds = events.map(({ kind }) => kind);
    expect(kinds[kinds.indexOf('started') + 1]).toBe('states');
    expect(kinds.at(-1)).toBe('done');
    expect(new Set(kinds)).toEqual(new Set(['progress', 'started', 'states', 'diagonal', 'final', 'done']));
    const fractions = events.filter(({ kind }) => kind === 'progress').map(({ fraction }) => fraction as number);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(events.at(-1)).toEqual({ kind: 'done', hidden: 'vanishing', cell: 'vanishing' });
  });

  it('--trace has one line a stage, with its time and the memory', () => {
    const lines = readFileSync(path('a.trace'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ stage }) => stage)).toEqual(['open', 'input', 'states', 'diagonal', 'final', 'diagnostics']);
    for (const line of lines) {
      expect(line).toMatchObject({ layer: 'memory' });
      expect(line['seconds']).toBeGreaterThanOrEqual(0);
      expect(line['residentBytes']).toBeGreaterThan(1e6);
    }
  });
});

describe('random input', () => {
  it('gives the same bytes for the same seed', () => {
    expect(readFileSync(path('b.npz')).equals(readFileSync(path('a.npz')))).toBe(true);
    expect(readFileSync(path('n2.npz')).equals(readFileSync(path('n1.npz')))).toBe(true);
    expect([...arraysOf('c.npz').get('x')!.data]).not.toEqual([...arraysOf('a.npz').get('x')!.data]);
  });

  it('has 200 steps, one sequence and seed 0 where nothing is said', () => {
    expect(summaryOf('defaults').run).toMatchObject({
      batch: 1,
      steps: 200,
      seed: 0,
      input: null,
      wrt: 'layer-input',
      modes: ['diagonal', 'final', 'states'],
      exact: true,
    });
    expect(summaryOf('defaults').engine.name).toBe('tensorflow');
  });

  it('is ids for a model that starts with an Embedding', () => {
    expect(resultOf('randomIds').code).toBe(0);
    expect(summaryOf('randomIds').run).toMatchObject({ batch: 1, steps: 12 });
  });
});

describe('--fail-on', () => {
  it('ends with 10 on a verdict in the list, and prints it all the same', () => {
    expect(resultOf('failOn')).toMatchObject({ code: 10, err: '' });
    expect(resultOf('failOn').out).toContain('vanishing');
    expect(resultOf('failOnOther').code).toBe(0);
  });
});

describe('--layer', () => {
  it('all: one file and one summary a layer', () => {
    const { layers, skipped } = JSON.parse(resultOf('all').out) as { layers: Summary[]; skipped: object[] };
    expect(layers.map(({ layer }) => layer.name)).toEqual(['first', 'second', 'third']);
    expect(skipped).toEqual([]);
    expect(listFolder(path('all'))).toEqual(['first.npz', 'second.npz', 'third.npz']);
    expect(listFolder(path('all-csv'))).toEqual(expect.arrayContaining(['first', join('third', 'dhT_dx.csv')]));
    expect(resultOf('allText').out.match(/^\S+ {2}(LSTM|GRU|SimpleRNN) \d+ <- \d+/gm)).toHaveLength(3);
  });

  it('takes the number that inspect prints, and the last part of a path', () => {
    expect(summaryOf('byNumber').layer.name).toBe('second');
    expect(summaryOf('byLastPart').layer.name).toBe('middle/deepest/core');
  });

  it.each([
    ['ambiguous', 'cell/no-such-layer', /"memory" fits several layers: left\/memory, right\/memory/],
    ['noSuchLayer', 'cell/no-such-layer', /there is no layer "nothing"; recurrent layers: memory/],
    ['notRecurrent', 'cell/unsupported', /its class is InputLayer, which is not recurrent/],
  ])('%s is %s', (name, code, message) => {
    expect(resultOf(name).code).toBe(3);
    expect(errorOf(name)).toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it('is no matter of --at-layer where the layer is not recurrent', () => {
    expect(errorOf('notRecurrent').remedy).toBe('Choose a recurrent layer: memory.');
  });
});

describe('--mode', () => {
  const names = (file: string): string[] => [...arraysOf(file).keys()];

  it('writes what is asked for and no more', () => {
    expect(names('diagonal.npz')).toEqual(['x', 'h', 'c', 'dh_dx', 'dc_dx']);
    expect(names('states.npz')).toEqual(['x', 'h', 'c', 'gate_i', 'gate_f', 'gate_g', 'gate_o']);
    expect(names('final.npz')).toEqual([
      ...['x', 'h', 'c', 'dhT_dx', 'dcT_dx', 'scale_dhT_dx', 'scale_dcT_dx'],
      ...['lognorm_dhT_dx', 'lognorm_dcT_dx'],
    ]);
    expect(summaryOf('final').run.modes).toEqual(['final']);
  });

  it('has no verdict without final, and says so', () => {
    const { hidden, cell } = summaryOf('diagonal');
    for (const verdict of [hidden, cell!]) {
      expect(verdict).toMatchObject({ verdict: 'undetermined', slope: null });
      expect(verdict.why).toMatch(/mode final was not asked for/);
    }
  });
});

describe('--warm-up and --span', () => {
  it('change the fit and the memory that is asked for', () => {
    const [plain, changed] = [summaryOf('again').hidden, summaryOf('warmUp').hidden];
    expect(plain.why).toMatch(/^Over 100 steps/);
    expect(changed.why).toMatch(/^Over 500 steps/);
    expect(changed.slope).not.toBe(plain.slope);
    expect(changed.lyapunovMax).not.toBe(plain.lyapunovMax);
  });
});

describe('--input', () => {
  it('finds a header by itself, or is told that there is none', () => {
    const data = (file: string): number[] => [...arraysOf(file).get('x')!.data];
    expect(summaryOf('csvHeader').run).toMatchObject({ batch: 1, steps: 14, seed: null, input: 'header.csv' });
    expect(data('plain.npz')).toEqual(data('header.npz'));
    expect(data('no-header.npz')).toEqual(data('header.npz'));
    expect(data('header.npz').slice(3, 6)).toEqual([1 / 7, -1 / 3, 1.25].map(Math.fround));
  });

  it('reads an array whatever it is stored in', () => {
    const [npy, npz] = [arraysOf('npy.npz'), arraysOf('npz.npz')];
    for (const [name, { data }] of npz) expect([...npy.get(name)!.data], name).toEqual([...data]);
  });

  it('takes ids of one sequence, and masks what the model masks', () => {
    const h = arraysOf('ids.npz').get('h')!;
    expect(h.shape.slice(0, 2)).toEqual([1, 7]);
    const H = h.shape[2]!;
    expect([...h.data.slice(6 * H)]).toEqual([...h.data.slice(4 * H, 5 * H)]);
  });
});

describe('--at-layer', () => {
  it('feeds the layer itself, with any T and B', () => {
    expect(arraysOf('at-layer.npz').get('x')!.shape).toEqual([3, 17, 16]);
  });

  it('carries the state over what --mask masks', () => {
    const arrays = arraysOf('masked.npz');
    const { shape, data } = arrays.get('h')!;
    const [, T, H] = shape as [number, number, number];
    const state = (b: number, t: number): number[] => [...data.slice((b * T + t) * H, (b * T + t + 1) * H)];
    expect(state(0, 2)).toEqual(state(0, 1));
    expect(state(1, 1)).toEqual(new Array(H).fill(0));
    expect(state(1, 5)).toEqual(state(1, 4));
    const blocks = arrays.get('dhT_dx')!;
    const D = blocks.shape[3]!;
    expect([...blocks.data.slice(2 * H * D, 3 * H * D)].every((value) => value === 0)).toBe(true);
  });

  it('starts from --initial-state', () => {
    expect(resultOf('initial').code).toBe(0);
    const first = (file: string): number[] => [...arraysOf(file).get('h')!.data.slice(0, 4)];
    expect(first('initial.npz')).not.toEqual(first('masked.npz'));
  });

  it('is the way to a layer that stands on what cannot be run', () => {
    expect(errorOf('custom')).toMatchObject({
      code: 'cell/unsupported',
      remedy: expect.stringContaining('--at-layer') as string,
    });
    expect(summaryOf('customAtLayer').run.steps).toBe(12);
  });
});

describe('--wrt model-input', () => {
  it('differentiates with respect to what the model is given', () => {
    expect(summaryOf('modelInput').run.wrt).toBe('model-input');
    const arrays = arraysOf('model-input.npz');
    expect(arrays.get('x')!.shape).toEqual([1, 20, 8]);
    expect(arrays.get('dhT_dx')!.shape).toEqual([1, 20, 32, 8]);
  });
});

describe('numbers that floats do not hold', () => {
  it('norms far below the smallest float are written, as scales and as logs', () => {
    expect(resultOf('beyond').code).toBe(0);
    const arrays = arraysOf('beyond.npz');
    const norms = arrays.get('lognorm_dhT_dx')!.data;
    expect(Math.min(...norms)).toBeLessThan(Math.log(Number.MIN_VALUE));
    expect(norms.every((value) => Number.isFinite(value))).toBe(true);
    const { data, shape } = arrays.get('dhT_dx')!;
    const scale = arrays.get('scale_dhT_dx')!.data;
    const size = shape[2]! * shape[3]!;
    norms.forEach((norm, index) => {
      const stored = Math.log(Math.hypot(...data.subarray(index * size, (index + 1) * size)));
      expect(Math.abs(stored + scale[index]! * Math.LN2 - norm), String(index)).toBeLessThan(1e-4);
    });
  });

  it('a number that is not defined is null, with the reason', () => {
    const { hidden, warnings, diagnostics } = summaryOf('allMasked');
    expect(hidden).toMatchObject({ verdict: 'undetermined', slope: null, lyapunovMax: null });
    expect(hidden.why).toMatch(/^4 unmasked steps of 5 are too few for a verdict/);
    const reasons = warnings.map(({ message }) => message).join('\n');
    expect(reasons).toMatch(/lyapunovMax is null/);
    for (const [name, value] of Object.entries(diagnostics)) {
      if (JSON.stringify(value).includes('null')) expect(reasons, name).toContain(name);
    }
  });
});
