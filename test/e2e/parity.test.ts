/** What the window gets and writes is what the command line writes, bit for bit. */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { readNpz, type NpyArray } from '../support/read-npz';
import { answerDialogs, APP, launchApp, makeFolder, ROOT, type RunningApp } from './launch-app';
import { GRU_MODEL, makeDropFolder } from './models';

const SAMPLE = join(ROOT, 'resources/samples/vanishing-lstm.keras');

type Summary = Record<string, unknown> & { run: Record<string, unknown>; model: Record<string, unknown> };

/** Arrays of a run as the page got them: base64 of their bytes, by name. */
interface Seen {
  readonly summary: Summary;
  readonly arrays: Readonly<Record<string, string>>;
  readonly runId: number;
}

interface Case {
  readonly name: string;
  readonly model: string;
  readonly layer: string;
  readonly options: readonly string[];
  readonly input: object;
  readonly engine: string | null;
}

let folder: string;
let running: RunningApp;
let page: Page;

const random = (steps: number, batch: number, seed: number): object => ({ kind: 'random', steps, batch, seed });

const FILES = makeDropFolder();
const TABLE = FILES.eightColumns;

const CASES: readonly Case[] = [
  {
    name: 'an LSTM on TensorFlow, random input',
    model: SAMPLE,
    layer: 'recent_load',
    options: ['--steps', '120', '--batch', '2', '--seed', '3'],
    input: random(120, 2, 3),
    engine: null,
  },
  {
    name: 'the same on a table',
    model: SAMPLE,
    layer: 'recent_load',
    options: ['--input', TABLE],
    input: { kind: 'file', path: TABLE, key: null, header: null },
    engine: null,
  },
  {
    name: 'a GRU on the reference engine',
    model: GRU_MODEL,
    layer: 'memory',
    options: ['--steps', '50', '--engine', 'reference'],
    input: random(50, 1, 0),
    engine: 'reference',
  },
  {
    name: 'an LSTM on wasm',
    model: SAMPLE,
    layer: 'recent_load',
    options: ['--steps', '40', '--engine', 'wasm'],
    input: random(40, 1, 0),
    engine: 'wasm',
  },
];

function requestOf({ layer, input, engine }: Case): object {
  return {
    layer,
    wrt: 'layer-input',
    atLayer: false,
    input,
    maskFile: null,
    initialStateFile: null,
    modes: ['diagonal', 'final', 'states'],
    engine,
    warmUp: null,
    span: null,
    exact: false,
    maxSeconds: null,
    maxMemoryBytes: null,
  };
}

const ran = new Map<string, Promise<{ summary: Summary; npz: Buffer }>>();

/** What the command line gives, its summary and its arrays; the same words are run once. */
function commandLine(model: string, options: readonly string[]): Promise<{ summary: Summary; npz: Buffer }> {
  const key = [model, ...options].join(' ');
  const run = ran.get(key) ?? runCommandLine(model, options);
  ran.set(key, run);
  return run;
}

async function runCommandLine(model: string, options: readonly string[]): Promise<{ summary: Summary; npz: Buffer }> {
  const path = join(folder, 'command.npz');
  const words = [
    join(APP, 'out/main/cli.js'),
    'analyze',
    model,
    ...options,
    '--out',
    path,
    '--json',
    '--progress',
    'none',
  ];
  const text = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, words, { maxBuffer: 1e9 }, (error, stdout, stderr) =>
      error ? reject(new Error(stderr)) : resolve(stdout),
    );
  });
  return { summary: JSON.parse(text) as Summary, npz: readFileSync(path) };
}

/** Runs in the window; gives everything that came over the run port. */
function windowRun(request: object): Promise<Seen> {
  return page.evaluate(async (runRequest) => {
    type Numbers = Float32Array | Float64Array;
    type Norms = { total: Float64Array };
    type Event = {
      kind: string;
      summary: never;
      error: { message: string };
      batch: number;
      steps: number;
      start: number;
      count: number;
      x: Numbers;
      h: Numbers & Norms;
      c: (Numbers & Norms) | null;
      gates: Record<string, Numbers>;
    };
    const { tempograd } = window as unknown as {
      tempograd: {
        request(name: string, input: object): Promise<{ value: { runId: number }; error?: { message: string } }>;
        onRunMessage(receive: (message: { runId: number; event: Event }) => void): void;
        grantCredit(count: number): void;
      };
    };
    const base64 = (values: ArrayBufferView): string => {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      let text = '';
      for (let start = 0; start < bytes.length; start += 8192)
        text += String.fromCharCode(...bytes.subarray(start, start + 8192));
      return btoa(text);
    };
    const arrays: Record<string, string> = {};
    const norms: Record<string, Float64Array> = {};
    let size = { batch: 0, steps: 0 };
    const ended = new Promise<{ summary: never }>((resolve, reject) => {
      tempograd.onRunMessage(({ event }) => {
        if (event.kind === 'started') size = { batch: event.batch, steps: event.steps };
        if (event.kind === 'states') {
          arrays['x'] = base64(event.x);
          arrays['h'] = base64(event.h);
          if (event.c) arrays['c'] = base64(event.c);
          for (const [gate, values] of Object.entries(event.gates)) arrays[`gate_${gate}`] = base64(values);
        }
        if (event.kind === 'final') {
          for (const state of ['h', 'c'] as const) {
            const part = event[state];
            if (!part) continue;
            const all = (norms[state] ??= new Float64Array(size.batch * size.steps).fill(NaN));
            for (let b = 0; b < size.batch; b++) {
              all.set(part.total.subarray(b * event.count, (b + 1) * event.count), b * size.steps + event.start);
            }
          }
        }
        if (event.kind === 'done') resolve({ summary: event.summary });
        else if (event.kind === 'failed') reject(new Error(event.error.message));
        else tempograd.grantCredit(1);
      });
    });
    const reply = await tempograd.request('startRun', { request: runRequest });
    if (reply.error) throw new Error(reply.error.message);
    const { summary } = await ended;
    for (const [state, values] of Object.entries(norms)) arrays[`lognorm_d${state}T_dx`] = base64(values);
    return { summary, arrays, runId: reply.value.runId };
  }, request) as Promise<Seen>;
}

/** A summary without what no two runs share: time, and the path as it was typed. */
function comparable(summary: Summary): object {
  const { seconds: _seconds, ...run } = summary.run;
  const { path: _path, ...model } = summary.model;
  return { ...summary, run, model };
}

/** Bytes of an array as float32, which is what the file holds. */
function float32Bytes(array: NpyArray): string {
  return Buffer.from(array.data.buffer, array.data.byteOffset, array.data.byteLength).toString('base64');
}

function ask<T>(name: string, input: object): Promise<T> {
  return page.evaluate(
    async ([request, argument]) => {
      const { tempograd } = window as unknown as {
        tempograd: {
          request(name: string, input: object): Promise<{ ok: boolean; value: never; error: { message: string } }>;
        };
      };
      const reply = await tempograd.request(request, argument);
      if (!reply.ok) throw new Error(reply.error.message);
      return reply.value;
    },
    [name, input] as const,
  );
}

beforeAll(async () => {
  folder = makeFolder('parity');
  running = await launchApp();
  page = running.page;
});

afterAll(async () => {
  await running?.close();
  rmSync(FILES.folder, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

describe('window and command line', () => {
  it.each(CASES)('agree on $name', async (one) => {
    await ask('openPaths', { paths: [one.model] });
    const seen = await windowRun(requestOf(one));
    const { summary, npz } = await commandLine(one.model, [...one.options, '--layer', one.layer]);
    expect(comparable(seen.summary)).toEqual(comparable(summary));

    const arrays = readNpz(npz);
    const names = Object.keys(seen.arrays);
    expect(names).toEqual(expect.arrayContaining(['x', 'h', 'lognorm_dhT_dx']));
    for (const name of names) {
      const array = arrays.get(name)!;
      const bytes = Buffer.from(seen.arrays[name]!, 'base64');
      // The reference engine computes in float64, which the file rounds to float32.
      const isWider = bytes.length === 2 * array.data.byteLength;
      const shown = isWider
        ? Buffer.from(Float32Array.from(new Float64Array(new Uint8Array(bytes).buffer)).buffer).toString('base64')
        : seen.arrays[name]!;
      expect(shown === float32Bytes(array), name).toBe(true);
    }

    const [, steps, units, inputDim] = arrays.get('dh_dx')!.shape as [number, number, number, number];
    const slice = await page.evaluate(
      async (input) => {
        const { tempograd } = window as unknown as {
          tempograd: {
            request(
              name: string,
              input: object,
            ): Promise<{ value: { rows: number; columns: number; data: Float32Array } }>;
          };
        };
        const { rows, columns, data } = (await tempograd.request('jacobianSlice', input)).value;
        return { rows, columns, data: [...data] };
      },
      { runId: seen.runId, state: 'h', direction: 'forward', sequence: 0, axis: 'unit', index: 2 },
    );
    expect([slice.rows, slice.columns]).toEqual([inputDim, steps]);
    const { data } = arrays.get('dh_dx')!;
    const expected = Array.from({ length: inputDim * steps }, (_, at) => {
      const [feature, step] = [Math.floor(at / steps), at % steps];
      return data[(step * units + 2) * inputDim + feature]!;
    });
    expect(slice.data).toEqual(expected);
  });

  it('write the same files', async () => {
    const [one] = CASES as [Case];
    await ask('openPaths', { paths: [one.model] });
    const { summary, npz } = await commandLine(one.model, [...one.options, '--layer', one.layer]);
    const path = join(folder, 'window.npz');
    await answerDialogs(running.app, path);
    await ask('exportRun', { request: requestOf(one), format: 'npz' });
    expect(readFileSync(path).equals(npz)).toBe(true);
    const json = join(folder, 'window.json');
    await answerDialogs(running.app, json);
    await ask('exportRun', { request: requestOf(one), format: 'json' });
    expect(comparable(JSON.parse(readFileSync(json, 'utf8')) as Summary)).toEqual(comparable(summary));
  });

  it('write nothing when the dialog is cancelled', async () => {
    await answerDialogs(running.app, null);
    expect(await ask('exportRun', { request: requestOf(CASES[0]!), format: 'npz' })).toBeNull();
  });
});

describe('the verdict on screen', () => {
  it('is that of the command line, with the defaults of both', async () => {
    await running.close();
    running = await launchApp({ args: [SAMPLE] });
    page = running.page;
    await page.getByTestId('layer-recent_load').waitFor();
    await page.getByTestId('run-button').click();
    const card = page.getByTestId('verdict-h');
    await card
      .getByText(/vanishing/i)
      .first()
      .waitFor();
    const { summary } = await commandLine(SAMPLE, []);
    const hidden = summary['hidden'] as { slope: number; horizon: number; halfLife: number };
    const text = (await card.innerText()).replace('−', '-');
    expect(text).toContain(hidden.slope.toFixed(3));
    expect(text).toContain(String(hidden.horizon));
    expect(text).toContain(hidden.halfLife.toFixed(1));
  });
});
