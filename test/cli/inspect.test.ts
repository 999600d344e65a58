/** `tempograd inspect`: the table and the JSON of docs/cli.md, on good models and on names that attack a terminal. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ModelDescription, Summary } from '../../src/core/summary';
import { HOSTILE_NAME, writeRenamedModel } from './hostile-names';
import { fixtureModel, inParallel, makeFolder, ROOT, runCli, type Ended } from './run-cli';

const number = z.number().nullable();
const statistics = z.strictObject({
  min: number,
  max: number,
  mean: number,
  std: number,
  l2: number,
  spectralNorm: number,
});
const weight = z.strictObject({
  role: z.enum(['kernel', 'recurrent_kernel', 'bias', 'peephole', 'projection', 'other']),
  name: z.string(),
  shape: z.array(z.number().int()),
  dtype: z.string(),
  gates: z.record(z.string(), statistics).nullable(),
});
const layer = z.strictObject({
  name: z.string(),
  class: z.string(),
  kind: z.enum(['SimpleRNN', 'LSTM', 'GRU']).nullable(),
  units: z.number().int().nullable(),
  outputSize: z.number().int().nullable(),
  inputDim: z.number().int().nullable(),
  direction: z.enum(['forward', 'backward', 'bidirectional']).nullable(),
  backward: z
    .strictObject({ kind: z.enum(['SimpleRNN', 'LSTM', 'GRU']), units: z.number(), outputSize: z.number() })
    .nullable(),
  supported: z.boolean(),
  reason: z.string().nullable(),
  blockedBy: z.string().nullable(),
  weights: z.array(weight),
});
/** The schema of docs/cli.md; nothing more, nothing less. */
const description = z.strictObject({
  schema: z.literal(1),
  format: z.string(),
  producer: z.string(),
  layers: z.array(layer),
  assumptions: z.array(z.strictObject({ what: z.string(), assumed: z.string(), why: z.string(), change: z.string() })),
  warnings: z.array(z.strictObject({ code: z.string(), message: z.string(), remedy: z.string() })),
});

const folder = makeFolder();
const hostile = join(folder.path, `evil \u001b[31m\u009b2J.keras`);
const cnn = join(ROOT, 'test/fixtures/bad/cnn-only.keras');

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  text: ['inspect', fixtureModel('keras3-bidirectional-concat')],
  json: ['inspect', fixtureModel('keras3-bidirectional-concat'), '--json'],
  jsonFirst: ['inspect', '--json', fixtureModel('keras3-stacked-three', 'model.h5')],
  weightsOnly: ['inspect', fixtureModel('tfkeras-weights-h5-stacked', 'model-weights.h5'), '--json'],
  blocked: ['inspect', fixtureModel('keras3-custom-below')],
  unlike: ['inspect', fixtureModel('keras3-bidirectional-unlike-kinds')],
  broken: ['inspect', join(ROOT, 'test/fixtures/bad/h5-nan-weights.h5'), '--json'],
  cnnText: ['inspect', cnn],
  cnnJson: ['inspect', cnn, '--json'],
  hostileText: ['inspect', hostile],
  hostileJson: ['inspect', hostile, '--json'],
  hostileRun: ['analyze', hostile, '--steps', '15', '--report', join(folder.path, 'evil.html')],
  hostileRunJson: ['analyze', hostile, '--steps', '15', '--json', '--progress', 'json'],
};

const results = new Map<string, Ended>();
const resultOf = (name: string): Ended => results.get(name)!;
const jsonOf = (name: string): ModelDescription => JSON.parse(resultOf(name).out) as ModelDescription;

beforeAll(async () => {
  await writeRenamedModel(hostile, HOSTILE_NAME);
  await inParallel(Object.entries(COMMANDS), async ([name, args]) => results.set(name, await runCli(args)));
}, 120_000);
afterAll(() => folder.remove());

it.each(Object.keys(COMMANDS).filter((name) => name !== 'hostileRunJson'))(
  '%s ends with 0 and a silent standard error',
  (name) => {
    expect({ code: resultOf(name).code, err: resultOf(name).err }).toEqual({ code: 0, err: '' });
  },
);

describe('text', () => {
  it('names file, format and producer first, then every layer with its number', () => {
    const lines = resultOf('text').out.split('\n');
    expect(lines[0]).toMatch(/model\.keras {2}keras-v3, Keras 3\.\d+\.\d+, \d+ kB$/);
    expect(lines[2]).toMatch(/^# {2}layer +class +cell +direction$/);
    expect(lines.slice(3, 6).map((line) => line.split(/ {2,}/))).toEqual([
      ['0', 'signal', 'InputLayer'],
      ['1', 'memory', 'Bidirectional', 'LSTM 3 <- 3', 'bidirectional'],
      ['2', 'head', 'Dense'],
    ]);
  });

  it('gives each tensor of a recurrent layer its shape, its range and the norm of each gate', () => {
    const kernel = resultOf('text')
      .out.split('\n')
      .find((line) => / recurrent_kernel /.test(line));
    expect(kernel).toMatch(/\[3, 12\] +float32 +−\d\S* +\d\S* +i \S+ {2}f \S+ {2}g \S+ {2}o \S+$/);
  });

  it('tells both cells of a Bidirectional layer that are of different kinds', () => {
    expect(resultOf('unlike').out).toMatch(/Bidirectional {2}LSTM \d <- \d; backward GRU \d {2}bidirectional/);
  });

  it('says what stands in the way of a layer', () => {
    expect(resultOf('blocked').out).toMatch(/memory .*own input only \(--at-layer\): \S+ cannot be run/);
  });

  it('says when there is nothing to analyse', () => {
    expect(resultOf('cnnText').out).toContain('No recurrent layer that can be analysed.');
  });
});

describe('JSON', () => {
  it.each(['json', 'jsonFirst', 'weightsOnly', 'broken', 'cnnJson', 'hostileJson'])('%s has the schema', (name) => {
    expect(() => description.parse(JSON.parse(resultOf(name).out))).not.toThrow();
  });

  it('has the statistics of each gate, biases included', () => {
    const weights = jsonOf('json').layers.find(({ name }) => name === 'memory')!.weights;
    expect(weights.map(({ role, shape }) => [role, shape])).toEqual([
      ['kernel', [3, 12]],
      ['recurrent_kernel', [3, 12]],
      ['bias', [12]],
      ['kernel', [3, 12]],
      ['recurrent_kernel', [3, 12]],
      ['bias', [12]],
    ]);
    for (const { role, gates } of weights) {
      expect(Object.keys(gates!)).toEqual(['i', 'f', 'g', 'o']);
      for (const { min, max, mean, std, l2, spectralNorm } of Object.values(gates!)) {
        expect(min!).toBeLessThanOrEqual(mean!);
        expect(mean!).toBeLessThanOrEqual(max!);
        expect(std!).toBeGreaterThan(0);
        if (role === 'bias') expect(spectralNorm).toBeNull();
        else expect(spectralNorm!).toBeLessThanOrEqual(l2! * (1 + 1e-9));
      }
    }
  });

  it('keeps the order and the names of stacked layers', () => {
    const recurrent = jsonOf('jsonFirst').layers.filter(({ kind }) => kind !== null);
    expect(recurrent.map(({ name }) => name)).toEqual(['first', 'second', 'third']);
  });

  it('has null for the statistics of a tensor that is not finite, and the warning that says why', () => {
    const { layers, warnings } = jsonOf('broken');
    const { gates } = layers.flatMap(({ weights }) => weights).find(({ role }) => role === 'recurrent_kernel')!;
    expect(Object.values(gates!).some(({ spectralNorm }) => spectralNorm === null)).toBe(true);
    expect(warnings.map(({ code }) => code)).toEqual(['numerics/not-finite']);
  });
});

describe('names that attack', () => {
  // Line feeds, and whatever has a glyph.
  const harmless = /^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]*$/;

  it.each(['hostileText', 'hostileJson', 'hostileRun', 'hostileRunJson'])(
    '%s reaches no terminal as a command',
    (name) => {
      expect(resultOf(name).out).toMatch(harmless);
      expect(resultOf(name).err).toMatch(harmless);
    },
  );

  it('stays on its line, columns in step', () => {
    const { out } = resultOf('hostileText');
    expect(out.split('\n').filter((line) => line.startsWith('tempograd'))).toEqual([]);
    expect(out).toMatch(/gedächtnis 記憶 🧠 \ufffd\[2J.*tempograd: done +LSTM +LSTM \d+ <- 3 +forward$/m);
  });

  it('is given back whole by JSON', () => {
    expect(jsonOf('hostileJson').layers.find(({ kind }) => kind !== null)!.name).toBe(HOSTILE_NAME);
    expect((JSON.parse(resultOf('hostileRunJson').out) as Summary).layer.name).toBe(HOSTILE_NAME);
    const events = resultOf('hostileRunJson')
      .err.trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string });
    expect(events.at(-1)).toMatchObject({ kind: 'done' });
  });
});
