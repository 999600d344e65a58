import { beforeEach, describe, expect, it } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import type { RecurrentModel } from '../../src/core/model';
import { dataFilesOf, dataKeyOf } from '../../src/host/reader-messages';
import type { FromEngine } from '../../src/main/engine-messages';
import { EngineSession, type EngineWork, type RunMaterial, type ValuePort } from '../../src/main/engine-session';
import { makeRunStream } from '../../src/main/stream';
import type { RunEvent, RunMessage, RunRequest } from '../../src/shared/run';

const MODEL = { format: 'keras-v3', layers: [] } as unknown as RecurrentModel;
const FILE = { path: '/m.keras', bytes: 3, sha256: 'x' };
const REQUEST = {
  layer: '',
  input: { kind: 'random', steps: 5, batch: 1, seed: 0 },
  maskFile: null,
  initialStateFile: null,
} as unknown as RunRequest;
const WITH_DATA: RunRequest = { ...REQUEST, input: { kind: 'file', path: '/x.npy', key: null, header: null } };
const PROGRESS: RunEvent = { kind: 'progress', fraction: 0.25, stage: 'final', secondsElapsed: 0 };
const SUMMARY = { schema: 1 } as never;

const portOf = (value: unknown): ValuePort => ({ receive: () => Promise.resolve(value) });

let posted: FromEngine[];
let sent: RunMessage[];
let analyze: EngineWork['analyze'];
let exportRun: EngineWork['exportRun'];
let jacobianSlice: EngineWork['jacobianSlice'];
let block: EngineWork['block'];
let prepareBlocks: EngineWork['prepareBlocks'] | null;
let forgotten: number;
let materials: RunMaterial[];
let session: EngineSession;

beforeEach(async () => {
  posted = [];
  sent = [];
  materials = [];
  prepareBlocks = null;
  forgotten = 0;
  const stream = makeRunStream();
  stream.connect({
    post(item) {
      sent.push(item as RunMessage);
      stream.grant(1);
    },
  });
  session = new EngineSession({
    stream,
    post: (message) => message.kind === 'begun' || posted.push(message),
    work: {
      best: () => Promise.resolve({ name: 'reference', version: 'x', reason: 'fake' }),
      estimate: (material) => {
        materials.push(material);
        return { flop: 1 } as never;
      },
      analyze: (material, runId, signal) => analyze(material, runId, signal),
      weightMatrix: () => ({ rows: 0, columns: 0, data: new Float32Array() }),
      jacobianSlice: (input, signal) => jacobianSlice(input, signal),
      block: (input, signal) => block(input, signal),
      hasPreparation: () => prepareBlocks !== null,
      prepareBlocks: (signal) => prepareBlocks!(signal),
      forget: () => forgotten++,
      exportRun: (...given) => exportRun(...given),
    },
  });
  await session.answer(1, 'loadModel', FILE, portOf(MODEL));
  posted.length = 0;
});

const kinds = (): string[] => sent.map(({ event }) => event.kind);

describe('engine session', () => {
  it('announces what it can do', async () => {
    await session.announce();
    expect(posted).toEqual([{ kind: 'ready', best: { name: 'reference', version: 'x', reason: 'fake' } }]);
  });

  it('streams a run and tells main its end', async () => {
    analyze = async function* () {
      yield PROGRESS;
      yield { kind: 'done', summary: SUMMARY };
    };
    await session.run(4, REQUEST);
    expect(kinds()).toEqual(['progress', 'done']);
    expect(sent.map(({ runId, sequence }) => [runId, sequence])).toEqual([
      [4, 0],
      [4, 1],
    ]);
    expect(posted).toEqual([{ kind: 'ended', runId: 4, ending: { kind: 'done', summary: SUMMARY } }]);
  });

  it('tells a failure as an event with its code, a bug as a bug', async () => {
    for (const [error, code] of [
      [new TempogradError('input/shape-mismatch', 'no'), 'input/shape-mismatch'],
      [new Error('broken'), 'bug'],
    ] as const) {
      analyze = async function* () {
        yield PROGRESS;
        throw error;
      };
      await session.run(5, REQUEST);
      expect(sent.at(-1)?.event).toMatchObject({ kind: 'failed', error: { code } });
      expect(posted.at(-1)).toMatchObject({ kind: 'ended', ending: { kind: 'failed', error: { code } } });
    }
  });

  it('ends a cancelled run as cancelled, with how far it was, whatever the work throws then', async () => {
    analyze = async function* (_material, _runId, signal) {
      yield PROGRESS;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw new Error('thrown because of the abort');
    };
    const run = session.run(6, REQUEST);
    await new Promise((resolve) => setTimeout(resolve, 5));
    session.cancel(99);
    expect(posted).toEqual([]);
    session.cancel(6);
    await run;
    expect(sent.at(-1)?.event).toEqual({ kind: 'cancelled', fraction: 0.25 });
    expect(posted).toEqual([{ kind: 'ended', runId: 6, ending: { kind: 'cancelled' } }]);
  });

  it('ends a run that waits for credit when it is cancelled', async () => {
    const stalled = makeRunStream();
    const stuck = new EngineSession({
      stream: stalled,
      post: (message) => posted.push(message),
      work: {
        analyze: async function* () {
          for (;;) yield PROGRESS;
        },
        hasPreparation: () => false,
      } as unknown as EngineWork,
    });
    await stuck.answer(1, 'loadModel', FILE, portOf(MODEL));
    stalled.connect({ post: (item) => sent.push(item as RunMessage) });
    const run = stuck.run(7, REQUEST);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const before = sent.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(sent).toHaveLength(before);
    stuck.cancel(7);
    await run;
    expect(kinds().at(-1)).toBe('cancelled');
  });

  it('does one analysis at a time, in the order in which they were asked for', async () => {
    const log: string[] = [];
    const busy = async (name: string): Promise<void> => {
      log.push(`begin ${name}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
      log.push(`end ${name}`);
    };
    analyze = async function* (_material, runId) {
      yield PROGRESS;
      await busy(`run ${runId}`);
    };
    exportRun = async () => {
      await busy('export');
      return { path: '/out.json' };
    };
    const order = { request: REQUEST, format: 'json', path: '/out.json' };
    await Promise.all([
      session.answer(3, 'exportRun', order, null),
      session.run(1, REQUEST),
      session.answer(4, 'exportRun', order, null),
    ]);
    expect(log).toEqual(['begin export', 'end export', 'begin run 1', 'end run 1', 'begin export', 'end export']);
  });

  it('tells main how far an export is', async () => {
    exportRun = (_material, _order, _signal, onProgress) => {
      onProgress(0.25);
      onProgress(0.5);
      return Promise.resolve({ path: '/out.json' });
    };
    await session.answer(3, 'exportRun', { request: REQUEST, format: 'json', path: '/out.json' }, null);
    expect(posted).toEqual([
      { kind: 'export-progress', fraction: 0.25 },
      { kind: 'export-progress', fraction: 0.5 },
      { kind: 'answer', id: 3, ok: true, value: { path: '/out.json' } },
    ]);
  });

  it('ends a run at once that is cancelled while it waits for an export', async () => {
    let finish: () => void = () => undefined;
    exportRun = async () => {
      await new Promise<void>((resolve) => (finish = resolve));
      return { path: '/out.json' };
    };
    analyze = () => expect.unreachable();
    const exported = session.answer(3, 'exportRun', { request: REQUEST, format: 'json', path: '/out.json' }, null);
    const run = session.run(9, REQUEST);
    await new Promise((resolve) => setTimeout(resolve, 5));
    session.cancel(9);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(posted).toEqual([{ kind: 'ended', runId: 9, ending: { kind: 'cancelled' } }]);
    finish();
    await Promise.all([exported, run]);
    expect(sent.map(({ event }) => event)).toEqual([{ kind: 'cancelled', fraction: 0 }]);
    expect(posted).toHaveLength(2);
  });

  it('does not begin a run that was cancelled while it waited', async () => {
    const begun: number[] = [];
    analyze = async function* (_material, runId) {
      begun.push(runId);
      yield PROGRESS;
      await new Promise((resolve) => setTimeout(resolve, 10));
    };
    exportRun = () => new Promise((resolve) => setTimeout(() => resolve({ path: '/x' }), 10));
    const order = { request: REQUEST, format: 'json', path: '/x' };
    await Promise.all([session.answer(3, 'exportRun', order, null), session.run(1, REQUEST), session.run(2, REQUEST)]);
    expect(begun).toEqual([2]);
    expect(sent.filter(({ event }) => event.kind === 'cancelled').map(({ runId }) => runId)).toEqual([1, 2]);
  });

  it('refuses to run without a model', async () => {
    await session.answer(2, 'unload', {}, null);
    await session.run(8, REQUEST);
    expect(sent.at(-1)?.event).toMatchObject({
      kind: 'failed',
      error: { code: 'usage/bad-option', message: 'No model is open' },
    });
  });

  it('uses arrays only for the files they were read from', async () => {
    const arrays = { input: { shape: [1], data: new Float32Array(1) }, mask: null, initialState: null };
    await session.answer(2, 'estimate', WITH_DATA, null);
    expect(posted.at(-1)).toMatchObject({ ok: false, error: { code: 'bug' } });
    await session.answer(3, 'loadData', { key: dataKeyOf(dataFilesOf(WITH_DATA)) }, portOf(arrays));
    await session.answer(4, 'estimate', WITH_DATA, null);
    expect(materials.at(-1)?.data).toBe(arrays);
    await session.answer(5, 'estimate', REQUEST, null);
    expect(materials.at(-1)?.data).toEqual({ input: null, mask: null, initialState: null });
    // Another model: its own files have to be given anew.
    await session.answer(6, 'loadModel', FILE, portOf(MODEL));
    await session.answer(7, 'estimate', WITH_DATA, null);
    expect(posted.at(-1)).toMatchObject({ ok: false });
  });

  it('ends exports that are cancelled, under way or waiting, and is free for the next', async () => {
    exportRun = async (_material, _order, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return null;
    };
    const order = { request: REQUEST, format: 'json', path: '/x' };
    const both = [session.answer(3, 'exportRun', order, null), session.answer(4, 'exportRun', order, null)];
    await new Promise((resolve) => setTimeout(resolve, 5));
    session.cancelExports();
    await Promise.all(both);
    expect(posted).toEqual([3, 4].map((id) => ({ kind: 'answer', id, ok: true, value: null })));
    exportRun = () => Promise.resolve({ path: '/x' });
    await session.answer(5, 'exportRun', order, null);
    expect(posted.at(-1)).toMatchObject({ id: 5, value: { path: '/x' } });
  });

  it('gives a slice up for a newer one, and for a run', async () => {
    jacobianSlice = async (_input, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return null;
    };
    analyze = async function* () {
      yield PROGRESS;
      yield { kind: 'done', summary: SUMMARY };
    };
    const older = session.answer(3, 'jacobianSlice', {}, null);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const newer = session.answer(4, 'jacobianSlice', {}, null);
    await older;
    await new Promise((resolve) => setTimeout(resolve, 5));
    await Promise.all([newer, session.run(1, REQUEST)]);
    expect(posted.map((message) => (message.kind === 'answer' ? message.id : message.kind))).toEqual([3, 4, 'ended']);
  });

  it('gives a block up for a newer one, for a run, and with the model', async () => {
    block = async (_input, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return null;
    };
    analyze = async function* () {
      yield { kind: 'done', summary: SUMMARY };
    };
    const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
    const first = session.answer(3, 'block', {}, null);
    await turn();
    const second = session.answer(4, 'block', {}, null);
    await turn();
    await Promise.all([first, second, session.run(1, REQUEST)]);
    const third = session.answer(5, 'block', {}, null);
    await turn();
    await Promise.all([third, session.answer(6, 'unload', {}, null)]);
    await turn();
    const order = posted.map((message) => (message.kind === 'answer' ? message.id : message.kind));
    expect(order.sort()).toEqual([3, 4, 5, 6, 'ended']);
    expect(forgotten).toBe(1);
  });

  it('prepares blocks while nothing is asked for, and goes on after what is', async () => {
    const prepared: string[] = [];
    prepareBlocks = async (signal) => {
      prepared.push('begun');
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      prepared.push('left');
    };
    block = () => Promise.resolve(null);
    analyze = async function* () {
      yield { kind: 'done', summary: SUMMARY };
    };
    await session.run(1, REQUEST);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(prepared).toEqual(['begun']);
    await session.answer(3, 'block', {}, null);
    expect(posted.at(-1)).toMatchObject({ id: 3, value: null });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(prepared).toEqual(['begun', 'left', 'begun']);
  });

  it('answers what the work refuses', async () => {
    jacobianSlice = () => Promise.reject(new TempogradError('usage/bad-option', 'gone'));
    await session.answer(9, 'jacobianSlice', {}, null);
    expect(posted).toEqual([expect.objectContaining({ kind: 'answer', id: 9, ok: false })]);
  });
});
