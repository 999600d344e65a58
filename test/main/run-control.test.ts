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
let prepare: () => Promise<void>;
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
    model: { prepare: () => prepare() } as unknown as ModelSession,
    sendToWindow: (message) => toWindow.push(message),
    onEnded: (runId, _request, { kind }) => ended.push(`${runId} ${kind}`),
  });
});

afterEach(() => vi.useRealTimers());

describe('run control', () => {
  it('numbers runs and lets one at a time go', async () => {
    expect(await runs.start(REQUEST)).toEqual({ runId: 1 });
    await expect(runs.start(REQUEST)).rejects.toMatchObject({ code: 'usage/bad-option' });
    runs.handleEnded(1, { kind: 'cancelled' });
    expect(await runs.start(REQUEST)).toEqual({ runId: 2 });
    expect(send.mock.calls.map(([message]) => message)).toEqual([
      { kind: 'run', runId: 1, request: REQUEST },
      { kind: 'run', runId: 2, request: REQUEST },
    ]);
  });

  it('starts nothing when the files of the run cannot be read, and is free again', async () => {
    prepare = () => Promise.reject(new TempogradError('input/not-readable', 'no'));
    await expect(runs.start(REQUEST)).rejects.toMatchObject({ code: 'input/not-readable' });
    expect(send).not.toHaveBeenCalled();
    expect(runs.isRunning).toBe(false);
  });

  it('asks for a cancel once, and does no more when the engine answers', async () => {
    await runs.start(REQUEST);
    runs.cancel(1);
    runs.cancel(1);
    expect(send.mock.calls.filter(([message]) => message.kind === 'cancel')).toHaveLength(1);
    runs.handleEnded(1, { kind: 'cancelled' });
    await vi.advanceTimersByTimeAsync(5000);
    expect(kill).not.toHaveBeenCalled();
    expect(ended).toEqual(['1 cancelled']);
  });

  it('kills an engine that does not answer a cancel within a second; that is still a cancel', async () => {
    await runs.start(REQUEST);
    runs.cancel(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(kill).toHaveBeenCalledOnce();
    runs.handleGone(GONE);
    expect(toWindow).toEqual([{ runId: 1, sequence: -1, event: { kind: 'cancelled', fraction: 0 } }]);
    expect(ended).toEqual(['1 cancelled']);
  });

  it('tells the window one failure when the engine process is gone, and takes the next run', async () => {
    await runs.start(REQUEST);
    runs.handleGone(GONE);
    runs.handleGone(GONE);
    runs.handleEnded(1, { kind: 'cancelled' });
    expect(toWindow).toHaveLength(1);
    expect(toWindow[0]).toMatchObject({ event: { kind: 'failed', error: { code: 'engine/stopped' } } });
    expect(ended).toEqual(['1 failed']);
    expect(await runs.start(REQUEST)).toEqual({ runId: 2 });
  });

  it('does not send a run that was cancelled while its files were read', async () => {
    let go: () => void = () => undefined;
    prepare = () => new Promise((resolve) => (go = resolve));
    const start = runs.start(REQUEST);
    runs.cancelAny();
    runs.handleGone(GONE);
    go();
    expect(await start).toEqual({ runId: 1 });
    expect(send).not.toHaveBeenCalled();
    expect(toWindow).toEqual([{ runId: 1, sequence: -1, event: { kind: 'cancelled', fraction: 0 } }]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(kill).not.toHaveBeenCalled();
  });

  it('says nothing about an engine that is gone while nothing runs', () => {
    runs.handleGone(GONE);
    expect(toWindow).toEqual([]);
  });

  it('ignores ends and cancels of other runs', async () => {
    await runs.start(REQUEST);
    runs.cancel(7);
    runs.handleEnded(7, { kind: 'cancelled' });
    expect(runs.isRunning).toBe(true);
    expect(send).toHaveBeenCalledTimes(1);
  });
});
