/**
 * `tempograd analyze` on models made by Keras: the arrays of `--out` are Keras's states and an outside autodiff's Jacobians,
 * under the names, shapes and types of docs/cli.md.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Summary } from '../../src/core/summary';
import { loadKerasFixture } from '../support/keras-fixtures';
import { readNpz, type NpyArray } from '../support/read-npz';
import { fixtureArrays, fixtureModel, inParallel, makeFolder, runCli, writeNpy, type Ended } from './run-cli';

const folder = makeFolder();
const path = (name: string): string => join(folder.path, name);

/** A fixture, and how the command is to be asked. */
interface Case {
  readonly name: string;
  readonly file?: string;
  readonly options?: readonly string[];
  readonly gates: readonly string[];
  readonly hasCell: boolean;
  readonly isBidirectional?: boolean;
}

const LSTM = { gates: ['i', 'f', 'g', 'o'], hasCell: true } as const;
const GRU = { gates: ['z', 'r', 'n'], hasCell: false } as const;
const RNN = { gates: [], hasCell: false } as const;

const CASES: readonly Case[] = [
  { name: 'keras3-lstm', ...LSTM },
  {
    name: 'keras3-lstm-batch-three',
    options: ['--engine', 'tensorflow'],
    ...LSTM,
  },
  {
    name: 'keras3-gru-reset-after',
    options: ['--engine', 'wasm', '--exact'],
    ...GRU,
  },
  {
    name: 'keras3-simple-rnn-h5',
    file: 'model.h5',
    options: ['--engine', 'reference'],
    ...RNN,
  },
  { name: 'keras3-mask-embedding-lstm', ...LSTM },
  {
    name: 'keras3-lstm-mask-file',
    options: ['--at-layer', '--mask', 'mask.npy'],
    ...LSTM,
  },
  {
    name: 'keras3-bidirectional-initial-state',
    options: ['--at-layer', '--initial-state', fixtureArrays('keras3-bidirectional-initial-state')],
    isBidirectional: true,
    ...LSTM,
  },
  {
    name: 'keras3-nested-twice',
    options: ['--layer', 'core'],
    ...GRU,
  },
  {
    name: 'keras3-stacked-second',
    options: ['--layer', 'second'],
    ...GRU,
  },
  {
    name: 'keras3-weights-v3-lstm-hard-sigmoid',
    file: 'model.weights.h5',
    options: ['--recurrent-activation', 'hard_sigmoid', '--at-layer'],
    ...LSTM,
  },
  {
    name: 'keras3-weights-v3-simple-rnn-relu',
    file: 'model.weights.h5',
    options: ['--activation', 'relu'],
    ...RNN,
  },
];

const results = new Map<string, Ended>();
const arrays = (name: string): Map<string, NpyArray> => readNpz(readFileSync(path(`${name}.npz`)));

beforeAll(async () => {
  const mask = readNpz(readFileSync(fixtureArrays('keras3-lstm-mask-file'))).get('mask')!;
  writeNpy(path('mask.npy'), 'int32', mask.shape, [...mask.data]);
  await inParallel(CASES, async ({ name, file, options = [] }) => {
    const data = ['--input', fixtureArrays(name), '--key', 'input'];
    const args = ['analyze', fixtureModel(name, file), ...data, ...options, '--out', `${name}.npz`, '--json'];
    results.set(name, await runCli(args, { cwd: folder.path }));
  });
}, 120_000);
afterAll(() => folder.remove());

function largest(data: Iterable<number>): number {
  let found = 0;
  for (const value of data) found = Math.max(found, Math.abs(value));
  return found;
}

describe.each(CASES)('$name', ({ name, gates, hasCell, isBidirectional = false }) => {
  const expected = readNpz(readFileSync(fixtureArrays(name)));
  const [B, T, D] = expected.get('x')!.shape as [number, number, number];
  const H = expected.get('h')!.shape[2]!;
  const states = hasCell ? ['h', 'c'] : ['h'];
  const directions = isBidirectional ? ['_forward', '_backward'] : [''];

  it('ends with 0 and says nothing on standard error', () => {
    const { code, err } = results.get(name)!;
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  it('writes the arrays of docs/cli.md in their shapes and types', () => {
    const got = [...arrays(name)].map(([array, { shape: size, data }]) => [array, size, data.constructor.name]);
    expect(got).toEqual([
      ['x', [B, T, D], 'Float32Array'],
      ...states.map((state) => [state, [B, T, H], 'Float32Array']),
      ...gates.map((gate) => [`gate_${gate}`, [B, T, H], 'Float32Array']),
      ...states.map((state) => [`d${state}_dx`, [B, T, H, D], 'Float32Array']),
      ...states.map((state) => [`d${state}T_dx`, [B, T, H, D], 'Float32Array']),
      ...states.map((state) => [`scale_d${state}T_dx`, [B, T], 'Int32Array']),
      ...states.flatMap((state) =>
        directions.map((direction) => [`lognorm_d${state}T_dx${direction}`, [B, T], 'Float64Array']),
      ),
    ]);
  });

  it('has the states of Keras and the Jacobians of an outside autodiff', () => {
    const got = arrays(name);
    for (const array of ['x', ...states]) {
      const want = expected.get(array)!;
      expect(got.get(array)!.shape, array).toEqual(want.shape);
      got.get(array)!.data.forEach((value, index) => {
        const size = Math.max(1, Math.abs(want.data[index]!));
        expect(Math.abs(value - want.data[index]!) / size, `${array} ${index}`).toBeLessThan(1e-5);
      });
    }
    for (const array of states.flatMap((state) => [`d${state}_dx`, `d${state}T_dx`])) {
      const want = expected.get(array)!.data;
      const limit = 1e-4 * largest(want);
      const scale = got.get(`scale_${array}`)?.data;
      got.get(array)!.data.forEach((value, index) => {
        const whole = value * 2 ** (scale?.[Math.floor(index / (H * D))] ?? 0);
        expect(Math.abs(whole - want[index]!), `${array} ${index}`).toBeLessThanOrEqual(limit);
      });
    }
  });

  it('has log norms that are those of the blocks', () => {
    const got = arrays(name);
    for (const state of states) {
      const blocks = got.get(`d${state}T_dx`)!.data;
      const scale = got.get(`scale_d${state}T_dx`)!.data;
      const units = H / directions.length;
      directions.forEach((direction, place) => {
        got.get(`lognorm_d${state}T_dx${direction}`)!.data.forEach((logNorm, index) => {
          const start = (index * H + place * units) * D;
          const norm = Math.hypot(...blocks.subarray(start, start + units * D));
          if (norm === 0) expect(logNorm).toBe(-Infinity);
          else expect(logNorm).toBeCloseTo(Math.log(norm) + scale[index]! * Math.LN2, 4);
        });
      });
    }
  });

  it('says in the summary what ran', () => {
    const summary = JSON.parse(results.get(name)!.out) as Summary;
    expect(summary.layer).toMatchObject({
      name: loadKerasFixture(name).layer,
      kind: gates.length === 4 ? 'LSTM' : gates.length === 3 ? 'GRU' : 'SimpleRNN',
      units: H / directions.length,
      inputDim: D,
      direction: isBidirectional ? 'bidirectional' : 'forward',
    });
    expect(summary.run).toMatchObject({ batch: B, steps: T, seed: null, input: fixtureArrays(name) });
    expect(summary.run.modes).toEqual(['diagonal', 'final', 'states']);
    expect(summary.cell === null).toBe(!hasCell);
  });
});

describe('what a file does not store', () => {
  it('is taken from the options, and what is still open is listed', () => {
    const gates = JSON.parse(results.get('keras3-weights-v3-lstm-hard-sigmoid')!.out) as Summary;
    expect(gates.layer).toMatchObject({ activation: 'tanh', recurrentActivation: 'hard_sigmoid' });
    const open = gates.assumptions.map(({ change }) => change);
    expect(open).toContain('--activation');
    expect(open).not.toContain('--recurrent-activation');
    const plain = JSON.parse(results.get('keras3-weights-v3-simple-rnn-relu')!.out) as Summary;
    expect(plain.layer.activation).toBe('relu');
  });
});

describe('engines', () => {
  it.each([
    ['keras3-lstm-batch-three', 'tensorflow'],
    ['keras3-gru-reset-after', 'wasm'],
    ['keras3-simple-rnn-h5', 'reference'],
    ['keras3-lstm', 'reference'],
  ])('%s ran on %s', (name, engine) => {
    const summary = JSON.parse(results.get(name)!.out) as Summary;
    expect(summary.engine.name).toBe(engine);
    expect(summary.engine.reason).toMatch(/\S/);
  });
});
