import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChildChannel } from '../../src/host/child-channel';
import type * as ParseProcess from '../../src/host/parse-process';
import type { FromReader, ReaderJob } from '../../src/host/reader-messages';
import type { EngineSupervisor } from '../../src/main/engine-supervisor';
import { ModelSession } from '../../src/main/model-session';
import type { RunRequest } from '../../src/shared/run';

const RANDOM = {
  input: { kind: 'random', steps: 5, batch: 1, seed: 0 },
  maskFile: null,
  initialStateFile: null,
} as unknown as RunRequest;

const sizes = vi.hoisted((): number[] => []);
vi.mock('../../src/host/parse-process', async (original) => {
  const real = await original<typeof ParseProcess>();
  const parseInChild: typeof real.parseInChild = (startChild, order) => {
    sizes.push(order.bytes);
    return real.parseInChild(startChild, order);
  };
  return { ...real, parseInChild };
});

let folder: string;
let state: string;
let calls: string[];
let jobs: string[];
let released: number;
let failure: FromReader | null;
let session: ModelSession;
let ports: number;

const path = (name: string): string => join(folder, name);
const withTable = (): RunRequest => ({
  ...RANDOM,
  input: { kind: 'file', path: path('x.csv'), key: null, header: null },
});

/** A reader that answers at once. */
function fakeReader(): ChildChannel {
  let receive: (message: unknown) => void = () => undefined;
  return {
    send(message) {
      const job = message as ReaderJob;
      jobs.push(
        job.kind === 'model'
          ? `model ${job.path.slice(folder.length + 1)}${job.describe ? ' described' : ''}${job.options.activation ? ` ${job.options.activation}` : ''}${job.options.limits.maxLayers ? ` maxLayers ${job.options.limits.maxLayers}` : ''}`
          : 'data',
      );
      const result =
        job.kind === 'model'
          ? {
              kind: 'model',
              model: null,
              description: { layers: [] },
              inputShape: [null, 3],
              inputIsIds: false,
              bytes: 3,
              sha256: 'abc',
            }
          : { kind: 'data', arrays: null, inputShape: [4, 3], columns: ['a', 'b', 'c'] };
      queueMicrotask(() => receive(failure ?? { kind: 'result', result }));
    },
    onMessage(take) {
      receive = take;
      queueMicrotask(() => receive({ kind: 'ready' }));
    },
    onExit: () => undefined,
    kill: () => void released++,
  };
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tempograd-session-'));
  for (const name of ['a.h5', 'b.h5', 'x.csv']) writeFileSync(path(name), 'abc');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(() => {
  state = 'ready';
  calls = [];
  jobs = [];
  released = 0;
  failure = null;
  ports = 0;
  const call = (
    name: string,
    input: { path?: string; key?: string },
    given: readonly unknown[] = [],
  ): Promise<null> => {
    calls.push(`${name} ${input.path?.slice(folder.length + 1) ?? ''}${given.length > 0 ? 'with port' : ''}`);
    return Promise.resolve(null);
  };
  session = new ModelSession({
    supervisor: {
      get status() {
        return { state };
      },
      ready: () => Promise.resolve(),
      call,
      callNow: call,
    } as unknown as EngineSupervisor,
    startReader: fakeReader,
    makeChannel: () => [++ports, ++ports],
  });
});

describe('model session', () => {
  it('reads a model once and hands it to the engine process', async () => {
    const model = await session.open(path('a.h5'));
    expect(model).toMatchObject({ modelId: 1, fileName: 'a.h5', bytes: 3, sha256: 'abc', inputShape: [null, 3] });
    await session.prepare(RANDOM);
    expect(jobs).toEqual(['model a.h5 described']);
    expect(calls).toEqual(['loadModel a.h5with port']);
    expect(released).toBe(1);
  });

  it('gives the reader time for all files of a model', async () => {
    writeFileSync(path('m.ckpt.index'), 'abcde');
    writeFileSync(path('m.ckpt.data-00000-of-00001'), 'x'.repeat(1000));
    await session.open(path('m.ckpt.index'));
    expect(sizes.at(-1)).toBe(1005);
  });

  it('keeps a raised limit for its file, through a restart of the engine, and no longer', async () => {
    await session.open(path('a.h5'), undefined, { maxLayers: 9 });
    await session.prepare(RANDOM);
    await session.reload();
    expect(jobs).toEqual(['model a.h5 described maxLayers 9', 'model a.h5 maxLayers 9']);
    expect(session.limits).toEqual({ maxLayers: 9 });
    await session.open(path('b.h5'));
    expect(jobs[2]).toBe('model b.h5 described');
    expect(session.limits).toEqual({});
  });

  it('keeps the model before when another cannot be read', async () => {
    await session.open(path('a.h5'));
    failure = { kind: 'failed', error: { code: 'reader/corrupt', message: 'm', remedy: 'r', details: {} } };
    await expect(session.open(path('b.h5'))).rejects.toMatchObject({ code: 'reader/corrupt' });
    await expect(session.open(path('none.h5'))).rejects.toMatchObject({ code: 'reader/not-readable' });
    expect(session.current?.fileName).toBe('a.h5');
    expect(calls).toHaveLength(1);
  });

  it('lets the model wait for an engine process that is not there yet', async () => {
    state = 'starting';
    await session.open(path('a.h5'));
    expect(calls).toEqual([]);
    expect(released).toBe(0);
    await session.reload();
    expect(calls).toEqual(['loadModel a.h5with port']);
    expect(jobs).toEqual(['model a.h5 described']);
  });

  it('lets only the last model wait', async () => {
    state = 'starting';
    await session.open(path('a.h5'));
    await session.open(path('b.h5'));
    expect(released).toBe(1);
    await session.reload();
    expect(calls).toEqual(['loadModel b.h5with port']);
  });

  it('reads the file again for the next engine process', async () => {
    await session.open(path('a.h5'));
    await session.reload();
    expect(jobs).toEqual(['model a.h5 described', 'model a.h5']);
    expect(calls).toHaveLength(2);
  });

  it('reads it again with what the user said of it', async () => {
    const choices = { activation: 'relu', recurrentActivation: null, resetAfter: null } as const;
    const opened = await session.open(path('a.h5'), choices);
    expect(opened.choices).toEqual(choices);
    await session.reload();
    expect(jobs).toEqual(['model a.h5 described relu', 'model a.h5 relu']);
  });

  it('says what is wrong with a file that cannot be read again, until another is opened', async () => {
    await session.open(path('a.h5'));
    failure = { kind: 'failed', error: { code: 'reader/truncated', message: 'm', remedy: 'r', details: {} } };
    await expect(session.reload()).rejects.toMatchObject({ code: 'reader/truncated' });
    await expect(session.prepare(RANDOM)).rejects.toMatchObject({ code: 'reader/truncated' });
    failure = null;
    await session.open(path('b.h5'));
    await session.prepare(RANDOM);
  });

  it('has nothing to run without a model', async () => {
    await expect(session.prepare(RANDOM)).rejects.toMatchObject({
      code: 'usage/bad-option',
      message: 'No model is open',
    });
    await session.open(path('a.h5'));
    await session.close();
    expect(calls.at(-1)).toBe('unload ');
    await expect(session.prepare(RANDOM)).rejects.toMatchObject({ code: 'usage/bad-option' });
  });
});

describe('data of a run', () => {
  it('is read once, and again when the file, the model or the process has changed', async () => {
    await session.open(path('a.h5'));
    const loads = (): number => calls.filter((call) => call.startsWith('loadData')).length;
    await session.prepare(withTable());
    await session.prepare(withTable());
    expect(loads()).toBe(1);
    utimesSync(path('x.csv'), new Date(), new Date(Date.now() + 5000));
    await session.prepare(withTable());
    expect(loads()).toBe(2);
    await session.open(path('b.h5'));
    await session.prepare(withTable());
    expect(loads()).toBe(3);
    await session.reload();
    await session.prepare(withTable());
    expect(loads()).toBe(4);
  });

  it('is what the last one asked for, one reading after another', async () => {
    await session.open(path('a.h5'));
    writeFileSync(path('y.csv'), 'abcd');
    const other = {
      ...withTable(),
      input: { kind: 'file', path: path('y.csv'), key: null, header: null },
    } as RunRequest;
    await Promise.all([session.prepare(withTable()), session.prepare(other), session.prepare(other)]);
    expect(jobs.filter((job) => job === 'data')).toHaveLength(2);
  });

  it('is no longer read when its run is cancelled', async () => {
    await session.open(path('a.h5'));
    const abort = new AbortController();
    const before = released;
    const prepared = session.prepare(withTable(), abort.signal);
    while (!jobs.includes('data')) await Promise.resolve();
    abort.abort();
    await expect(prepared).rejects.toThrow();
    expect(released).toBeGreaterThan(before);
    expect(calls.some((call) => call.startsWith('loadData'))).toBe(false);
    await session.prepare(withTable());
    expect(calls.at(-1)).toBe('loadData with port');
  });

  it('is described without being kept', async () => {
    expect(await session.describeData(path('x.csv'))).toEqual({
      path: path('x.csv'),
      fileName: 'x.csv',
      shape: [4, 3],
      columns: ['a', 'b', 'c'],
    });
    expect(calls).toEqual([]);
    expect(released).toBe(1);
  });
});
