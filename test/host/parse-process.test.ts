import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import { startNodeChild, type ChildChannel } from '../../src/host/child-channel';
import { parseInChild, parseLimitMs } from '../../src/host/parse-process';
import { NO_READER_OPTIONS } from '../../src/host/reader-messages';
import type { ReaderJob } from '../../src/host/reader-messages';

const JOB: ReaderJob = { kind: 'data', files: { input: null, maskFile: null, initialStateFile: null } };
const RESULT = { kind: 'data', arrays: null, inputShape: [3], columns: null };

let folder: string;
let children: ChildChannel[] = [];

/** A reader process whose behaviour is one line of JavaScript, given `say` and the job. */
function reader(behaviour: string): () => ChildChannel {
  const entry = join(folder, `${Math.random().toString(36).slice(2)}.mjs`);
  writeFileSync(
    entry,
    `const say = (message) => process.send(message);
     process.on('message', (job) => { ${behaviour} });
     say({ kind: 'ready' });`,
  );
  return () => {
    const child = startNodeChild({ entry });
    children.push(child);
    return child;
  };
}

async function failure(promise: Promise<unknown>): Promise<TempogradError> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TempogradError);
  return error as TempogradError;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tempograd-parse-'));
});

afterAll(() => {
  for (const child of children) child.kill();
  children = [];
  rmSync(folder, { recursive: true, force: true });
});

describe('parseLimitMs', () => {
  it('is 5 s, and 1 s more for each 100 MB', () => {
    expect(parseLimitMs(0)).toBe(5000);
    expect(parseLimitMs(300e6)).toBe(8000);
  });

  it('grows with what the user allows', () => {
    expect(parseLimitMs(300e6, 60)).toBe(63_000);
  });
});

describe('parseInChild', () => {
  it('gives the result, and keeps the process until it is released', async () => {
    const start = reader(`say({ kind: 'parsed' }); say({ kind: 'result', result: ${JSON.stringify(RESULT)} });`);
    const parsed = await parseInChild(start, { job: JOB, bytes: 0, name: 'a.npy' });
    expect(parsed.result).toEqual(RESULT);
    const ended = new Promise((resolve) => children.at(-1)!.onExit(resolve));
    parsed.release();
    await ended;
  });

  it('passes on what the reader found', async () => {
    const start = reader(
      `say({ kind: 'failed', error: { code: 'reader/truncated', message: 'm', remedy: 'r', details: { at: 3 } } });`,
    );
    const error = await failure(parseInChild(start, { job: JOB, bytes: 0, name: 'a.keras' }));
    expect([error.code, error.message, error.remedy, error.details]).toEqual(['reader/truncated', 'm', 'r', { at: 3 }]);
  });

  it('kills a reader that hangs in an endless loop', async () => {
    const begun = performance.now();
    const error = await failure(
      parseInChild(reader('for (;;);'), { job: JOB, bytes: 0, name: '/x/slow.h5', limitMs: 300 }),
    );
    expect(error.code).toBe('reader/limit-exceeded');
    expect(error.message).toContain('slow.h5 was not read within 0.3 s');
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it('names the cap that a user can raise, and takes it from the job', async () => {
    const options = { ...NO_READER_OPTIONS, limits: { maxParseSeconds: 0.05 } };
    const job = { kind: 'model', path: '/x/slow.h5', options, describe: false, hash: false } as const;
    const error = await failure(parseInChild(reader('for (;;);'), { job, bytes: 0, name: '/x/slow.h5' }));
    expect(error.details).toMatchObject({ limit: 'maxParseSeconds', value: 0.05, allowed: 0.05 });
  });

  it('does not hold the time after parsing against the file', async () => {
    const start = reader(
      `say({ kind: 'parsed' }); setTimeout(() => say({ kind: 'result', result: ${JSON.stringify(RESULT)} }), 500);`,
    );
    const parsed = await parseInChild(start, { job: JOB, bytes: 0, name: 'a.keras', limitMs: 250 });
    expect(parsed.result).toEqual(RESULT);
    parsed.release();
  });

  it('tells a reader that dies', async () => {
    const error = await failure(parseInChild(reader('process.exit(9);'), { job: JOB, bytes: 0, name: 'a.h5' }));
    expect(error.code).toBe('reader/corrupt');
    expect(error.details).toEqual({ file: 'a.h5', exitCode: 9 });
  });

  it('tells a reader that runs out of memory', async () => {
    const entry = join(folder, 'hungry.mjs');
    writeFileSync(
      entry,
      `process.on('message', () => { const all = []; for (;;) all.push({ a: [all.length] }); }); process.send({ kind: 'ready' });`,
    );
    const start = (): ChildChannel => startNodeChild({ entry, maxHeapMib: 32 });
    const error = await failure(parseInChild(start, { job: JOB, bytes: 0, name: 'a.h5' }));
    expect(error.code).toBe('reader/corrupt');
  });
});
