import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import type { EngineSupervisor } from '../../src/main/engine-supervisor';
import type { ModelSession } from '../../src/main/model-session';
import { RunControl } from '../../src/main/run-control';
import type { RunMessage, RunRequest } from '../../src/shared/run';

const REQUEST = { layer: 'lstm' } as RunRequest;
const GONE = new TempogradError('engine/stopped', 'The engine process stopped: killed');

let send: ReturnType<typeof vi.fn>;
let kill: ReturnType<typeof vi.fn>;
let prepare: (request: RunRequest, signal: AbortSignal) => Promise<void>;
let toWindow: RunMessage[];
let ended: string[];
let runs: RunControl;

beforeEach(() => {
  vi.useFakeTimers();
  send = vi.fn();
  kill = vi.fn();
  prepare = () => Promise.resolve();
  toWindow = [];
  ended = [];
  runs = new RunControl({
    supervisor: { start: () => undefined, send, kill, setBusy: () => undefined } as unknown as EngineSupervisor,
    model: {
      prepare: (request: RunRequest, signal: AbortSignal) => prepare(request, signal),
    } as unknown as ModelSession,
    sendToWindow: (message) => toWindow.push(message),
    onEnded: (runId, _request, { kind }) => ended.push(`${runId} ${kind}`),
  });
});

afterEach(() => vi.useRealTimers());

/** Starts a run and lets its files be read. */
async function start(): Promise<number> {
  const { runId } = runs.start(REQUEST);
  await vi.advanceTimersByTimeAsync(0);
  runs.handleBegun(runId);
  return runId;
}

describe('run control', () => {
  it('numbers runs and lets one at a time go', async () => {
    expect(await start()).toBe(1);
    expect(() => runs.start(REQUEST)).toThrow('A run is under way');
    runs.handleEnded(1, { kind: 'cancelled' });
    expect(await start()).toBe(2);
    expect(send.mock.calls.map(([message]) => message)).toEqual([
      { kind: 'run', runId: 1, request: REQUEST },
      { kind: 'run', runId: 2, request: REQUEST },
    ]);
  });

  it('ends with the reason when the files of the run cannot be read, and is free again', async () => {
    prepare = () => Promise.reject(new TempogradError('input/not-readable', 'no'));
    expect(await start()).toBe(1);
    expect(send).not.toHaveBeenCalled();
    expect(toWindow).toMatchObject([{ runId: 1, event: { kind: 'failed', error: { code: 'input/not-readable' } } }]);
    expect(ended).toEqual(['1 failed']);
    expect(runs.isRunning).toBe(false);
  });

  it('has its number before its files are read, and a cancel does not wait for them', async () => {
    let reading: AbortSignal | undefined;
    prepare = (_request, signal) => {
      reading = signal;
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('killed'))));
    };
    expect(runs.start(REQUEST)).toEqual({ runId: 1 });
    runs.cancel(1);
    expect(toWindow).toEqual([{ runId: 1, sequence: -1, event: { kind: 'cancelled', fraction: 0 } }]);
    expect(reading?.aborted).toBe(true);
    expect(runs.isRunning).toBe(false);
    prepare = () => Promise.resolve();
    expect(await start()).toBe(2);
    expect(ended).toEqual(['1 cancelled']);
    expect(send.mock.calls.map(([message]) => message)).toEqual([{ kind: 'run', runId: 2, request: REQUEST }]);
  });

  it('asks for a cancel once, and does no more when the engine answers', async () => {
    await start();
    runs.cancel(1);
    runs.cancel(1);
    expect(send.mock.calls.filter(([message]) => message.kind === 'cancel')).toHaveLength(1);
    runs.handleEnded(1, { kind: 'cancelled' });
    await vi.advanceTimersByTimeAsync(5000);
    expect(kill).not.toHaveBeenCalled();
    expect(ended).toEqual(['1 cancelled']);
  });

  it('kills an engine that does not answer a cancel within a second; that is still a cancel', async () => {
    await start();
    runs.cancel(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(kill).toHaveBeenCalledOnce();
    runs.handleGone(GONE);
    expect(toWindow).toEqual([{ runId: 1, sequence: -1, event: { kind: 'cancelled', fraction: 0 } }]);
    expect(ended).toEqual(['1 cancelled']);
  });

  it('tells the window one failure when the engine process is gone, and takes the next run', async () => {
    await start();
    runs.handleGone(GONE);
    runs.handleGone(GONE);
    runs.handleEnded(1, { kind: 'cancelled' });
    expect(toWindow).toHaveLength(1);
    expect(toWindow[0]).toMatchObject({ event: { kind: 'failed', error: { code: 'engine/stopped' } } });
    expect(ended).toEqual(['1 failed']);
    expect(await start()).toBe(2);
  });

  it('does not send a run that was cancelled while its files were read', async () => {
    let go: () => void = () => undefined;
    prepare = () => new Promise((resolve) => (go = resolve));
    await start();
    runs.cancelAny();
    runs.handleGone(GONE);
    go();
    await vi.advanceTimersByTimeAsync(0);
    expect(send).not.toHaveBeenCalled();
    expect(toWindow).toEqual([{ runId: 1, sequence: -1, event: { kind: 'cancelled', fraction: 0 } }]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(kill).not.toHaveBeenCalled();
  });

  it('ends a run that waits for an export at once, and kills nothing for it', async () => {
    const { runId } = runs.start(REQUEST);
    await vi.advanceTimersByTimeAsync(0);
    runs.cancel(runId);
    expect(send.mock.calls.map(([message]) => message.kind)).toEqual(['run', 'cancel']);
    expect(ended).toEqual(['1 cancelled']);
    await vi.advanceTimersByTimeAsync(5000);
    runs.handleBegun(runId);
    runs.handleEnded(runId, { kind: 'cancelled' });
    expect(kill).not.toHaveBeenCalled();
    expect(ended).toHaveLength(1);
    expect(toWindow).toHaveLength(1);
  });

  it('says nothing about an engine that is gone while nothing runs', () => {
    runs.handleGone(GONE);
    expect(toWindow).toEqual([]);
  });

  it('ignores ends and cancels of other runs', async () => {
    await start();
    runs.cancel(7);
    runs.handleEnded(7, { kind: 'cancelled' });
    expect(runs.isRunning).toBe(true);
    expect(send).toHaveBeenCalledTimes(1);
  });
});
