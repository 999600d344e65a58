import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChildChannel } from '../../src/host/child-channel';
import type { FromEngine, ToEngine } from '../../src/main/engine-messages';
import { EngineSupervisor, SUPERVISION_LIMITS } from '../../src/main/engine-supervisor';
import type { EngineStatus } from '../../src/shared/contract';

/** A stand-in for an engine process: answers beats while it is well, ends when it is killed. */
class FakeChild implements ChildChannel {
  isWell = true;
  isKilled = false;
  readonly got: ToEngine[] = [];
  #receive: (message: unknown) => void = () => undefined;
  #exit: (code: number | null) => void = () => undefined;

  send(message: unknown): void {
    const sent = message as ToEngine;
    this.got.push(sent);
    if (sent.kind === 'ping' && this.isWell) this.say({ kind: 'pong', beat: sent.beat });
  }
  onMessage(receive: (message: unknown) => void): void {
    this.#receive = receive;
  }
  onExit(receive: (code: number | null) => void): void {
    this.#exit = receive;
  }
  kill(): void {
    this.isKilled = true;
    this.#exit(null);
  }
  say(message: FromEngine): void {
    this.#receive(message);
  }
  die(code: number): void {
    this.#exit(code);
  }
  get ready(): FromEngine {
    return { kind: 'ready', best: { name: 'reference', version: 'x', reason: 'fake' } };
  }
}

let children: FakeChild[];
let states: EngineStatus['state'][];
let fractions: number[];
let gone: string[];
let onReady: (isRestart: boolean) => Promise<void>;
let supervisor: EngineSupervisor;

const child = (): FakeChild => children.at(-1)!;
const beats = (count: number): Promise<unknown> => vi.advanceTimersByTimeAsync(count * SUPERVISION_LIMITS.heartbeatMs);

async function bringUp(): Promise<void> {
  supervisor.start();
  child().say(child().ready);
  await vi.advanceTimersByTimeAsync(0);
}

beforeEach(() => {
  vi.useFakeTimers();
  children = [];
  states = [];
  gone = [];
  fractions = [];
  onReady = vi.fn(() => Promise.resolve());
  supervisor = new EngineSupervisor({
    startChild: () => {
      children.push(new FakeChild());
      return child();
    },
    cores: 2,
    log: () => undefined,
    onStatus: ({ state }) => states.push(state),
    onReady: (isRestart) => onReady(isRestart),
    onExportProgress: (fraction) => fractions.push(fraction),
    onRunBegun: () => undefined,
    onRunEnded: () => undefined,
    onGone: ({ message }) => gone.push(message),
  });
});

afterEach(() => {
  supervisor.stop();
  vi.useRealTimers();
});

describe('engine supervisor', () => {
  it('starts nothing until it is told to, then says each state', async () => {
    expect(supervisor.status.state).toBe('not-started');
    expect(children).toHaveLength(0);
    await bringUp();
    supervisor.setBusy(true);
    supervisor.setBusy(false);
    expect(states).toEqual(['starting', 'ready', 'busy', 'ready']);
    expect(supervisor.status.best?.name).toBe('reference');
  });

  it('starts once, however often it is asked', async () => {
    supervisor.start();
    supervisor.start();
    void supervisor.ready();
    expect(children).toHaveLength(1);
  });

  it('passes on how far an export is', async () => {
    await bringUp();
    child().say({ kind: 'export-progress', fraction: 0.25 });
    expect(fractions).toEqual([0.25]);
  });

  it('answers calls in any order', async () => {
    await bringUp();
    const first = supervisor.callNow('unload', {});
    const second = supervisor.callNow('unload', {});
    const ids = child().got.flatMap((message) => (message.kind === 'call' ? [message.id] : []));
    child().say({ kind: 'answer', id: ids[1]!, ok: true, value: null });
    await second;
    child().say({
      kind: 'answer',
      id: ids[0]!,
      ok: false,
      error: { code: 'reader/corrupt', message: 'm', remedy: 'r', details: {} },
    });
    await expect(first).rejects.toMatchObject({ code: 'reader/corrupt', message: 'm' });
  });

  it('lets a call wait for the process', async () => {
    const call = supervisor.call('unload', {});
    child().say(child().ready);
    await vi.advanceTimersByTimeAsync(0);
    const [message] = child().got.filter(({ kind }) => kind === 'call');
    expect(message).toMatchObject({ name: 'unload' });
    child().say({ kind: 'answer', id: (message as { id: number }).id, ok: true, value: null });
    await expect(call).resolves.toBeNull();
  });

  it('shows "not responding" after three beats and comes back when the process answers', async () => {
    await bringUp();
    await beats(5);
    expect(supervisor.status.state).toBe('ready');
    child().isWell = false;
    await beats(3);
    expect(supervisor.status.state).toBe('ready');
    await beats(1);
    expect(supervisor.status.state).toBe('not-responding');
    child().isWell = true;
    await beats(1);
    expect(supervisor.status.state).toBe('ready');
    expect(children).toHaveLength(1);
  });

  it('kills after ten beats without an answer, says so once, and starts another', async () => {
    await bringUp();
    child().isWell = false;
    const call = supervisor.callNow('unload', {});
    const failed = expect(call).rejects.toMatchObject({ code: 'engine/stopped' });
    await beats(11);
    await failed;
    expect(children[0]!.isKilled).toBe(true);
    expect(children).toHaveLength(2);
    expect(gone).toEqual(['The engine process stopped: it did not answer for 10 s']);
    expect(supervisor.status).toMatchObject({ state: 'restarting', restarts: 1 });
    child().say(child().ready);
    await vi.advanceTimersByTimeAsync(0);
    expect(supervisor.status.state).toBe('ready');
    expect(onReady).toHaveBeenLastCalledWith(true);
  });

  it('gives a process that is still loading its libraries more time', async () => {
    supervisor.start();
    child().isWell = false;
    await beats(30);
    expect(children[0]!.isKilled).toBe(false);
    await beats(40);
    expect(children[0]!.isKilled).toBe(true);
  });

  it('gives up after three restarts within a minute, and starts again by hand', async () => {
    await bringUp();
    for (let crash = 0; crash < 4; crash++) {
      child().die(6);
      child().say(child().ready);
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(children).toHaveLength(4);
    expect(supervisor.status).toMatchObject({ state: 'stopped', restarts: 3 });
    expect(gone).toHaveLength(4);
    await expect(supervisor.call('unload', {})).rejects.toMatchObject({ code: 'engine/stopped' });
    expect(children).toHaveLength(4);
    await bringUp();
    expect(supervisor.status.state).toBe('ready');
  });

  it('forgets restarts that are older than a minute', async () => {
    await bringUp();
    for (let crash = 0; crash < 6; crash++) {
      child().die(6);
      child().say(child().ready);
      await beats(61);
    }
    expect(supervisor.status).toMatchObject({ state: 'ready', restarts: 6 });
  });

  it('drops what a dead process still says', async () => {
    await bringUp();
    const dead = child();
    dead.die(1);
    dead.say(dead.ready);
    await vi.advanceTimersByTimeAsync(0);
    expect(supervisor.status.state).toBe('restarting');
  });

  it('is restarted by hand: resolves when the next process answers, however often', async () => {
    await bringUp();
    for (let round = 1; round <= 5; round++) {
      let isDone = false;
      const restarted = supervisor.restart('it was restarted by hand').then(() => (isDone = true));
      await vi.advanceTimersByTimeAsync(10);
      expect(isDone).toBe(false);
      expect(children).toHaveLength(round + 1);
      child().say(child().ready);
      await restarted;
      expect(supervisor.status.state).toBe('ready');
    }
  });

  it('does not restart what it was told to end', async () => {
    await bringUp();
    const call = expect(supervisor.callNow('unload', {})).rejects.toMatchObject({ code: 'engine/stopped' });
    supervisor.stop();
    await call;
    await beats(20);
    expect(children).toHaveLength(1);
    expect(gone).toEqual([]);
  });

  it('is ready even when the model cannot be given back, and says why later', async () => {
    onReady = () => Promise.reject(new Error('file gone'));
    await bringUp();
    expect(supervisor.status.state).toBe('ready');
  });
});
