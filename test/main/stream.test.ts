import { setMaxListeners } from 'node:events';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { MAX_CREDIT, makeRunStream, type RunStream } from '../../src/main/stream';
import { INITIAL_CREDIT } from '../../src/shared/channels';
import type { RunEvent, RunMessage, StatesEvent } from '../../src/shared/run';
import { makeJoiner, type RunItem } from '../../src/shared/run-pieces';

const PROGRESS: RunEvent = { kind: 'progress', fraction: 0.5, stage: 'final', secondsElapsed: 1 };
const CANCELLED: RunEvent = { kind: 'cancelled', fraction: 0.5 };
const NEVER = new AbortController().signal;
setMaxListeners(0, NEVER);

let stream: RunStream;
let sent: RunMessage[];
let items: RunItem[];
/** Whether the receiver gives the credit of pieces back. */
let givesBack: boolean;

const connect = (): void => {
  const take = makeJoiner(
    (message) => sent.push(message),
    () => givesBack && stream.grant(1),
  );
  stream.connect({
    post(item) {
      items.push(item);
      take(item);
    },
  });
};
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Sends until one has to wait; gives how many went out. */
async function flood(count: number, signal = NEVER): Promise<Promise<void>[]> {
  const sends = Array.from({ length: count }, () => stream.send(PROGRESS, signal));
  await tick();
  return sends;
}

beforeEach(() => {
  sent = [];
  items = [];
  givesBack = true;
  stream = makeRunStream();
  stream.begin(1);
});

describe('run stream', () => {
  it('numbers the messages of a run from 0', async () => {
    connect();
    await stream.send(PROGRESS, NEVER);
    await stream.send(CANCELLED, NEVER);
    stream.begin(2);
    await stream.send(PROGRESS, NEVER);
    expect(sent.map(({ runId, sequence }) => [runId, sequence])).toEqual([
      [1, 0],
      [1, 1],
      [2, 0],
    ]);
  });

  it('sends no more than there is credit for, and goes on when there is more', async () => {
    connect();
    await flood(INITIAL_CREDIT + 5);
    expect(sent).toHaveLength(INITIAL_CREDIT);
    stream.grant(2);
    await tick();
    expect(sent).toHaveLength(INITIAL_CREDIT + 2);
    stream.grant(100);
    await tick();
    expect(sent).toHaveLength(INITIAL_CREDIT + 5);
  });

  it('keeps the order of those that wait', async () => {
    connect();
    await flood(INITIAL_CREDIT);
    const first = stream.send({ ...PROGRESS, fraction: 0.1 }, NEVER);
    const second = stream.send({ ...PROGRESS, fraction: 0.2 }, NEVER);
    stream.grant(1);
    await first;
    stream.grant(1);
    await second;
    expect(sent.slice(-2).map(({ event }) => 'fraction' in event && event.fraction)).toEqual([0.1, 0.2]);
  });

  it('always sends an ending', async () => {
    connect();
    await flood(INITIAL_CREDIT);
    await stream.send(CANCELLED, NEVER);
    expect(sent.at(-1)?.event).toEqual(CANCELLED);
  });

  it('drops what waits when its run is aborted', async () => {
    connect();
    await flood(INITIAL_CREDIT);
    const abort = new AbortController();
    const waiting = stream.send(PROGRESS, abort.signal);
    abort.abort();
    await waiting;
    expect(sent).toHaveLength(INITIAL_CREDIT);
  });

  it('waits for a port, and starts afresh with a new one', async () => {
    const early = stream.send(PROGRESS, NEVER);
    await tick();
    expect(sent).toHaveLength(0);
    connect();
    await early;
    expect(sent).toHaveLength(1);
    await flood(INITIAL_CREDIT - 1);
    stream.connect(null);
    const waiting = stream.send(PROGRESS, NEVER);
    connect();
    await waiting;
    expect(sent).toHaveLength(INITIAL_CREDIT + 1);
  });

  it.each([0, -1, 1.5, NaN, Infinity, '5', null, undefined, {}])('ignores credit of %j', async (credit) => {
    connect();
    await flood(INITIAL_CREDIT + 1);
    stream.grant(credit);
    await tick();
    expect(sent).toHaveLength(INITIAL_CREDIT);
  });

  it('never keeps more credit than its cap', async () => {
    connect();
    stream.grant(1e9);
    await flood(MAX_CREDIT + 50);
    expect(sent).toHaveLength(MAX_CREDIT);
  });

  describe('with a large message', () => {
    const LARGE: StatesEvent = {
      kind: 'states',
      x: new Float32Array(3_000_000).fill(1),
      mask: null,
      h: new Float32Array(2_000_000).fill(2),
      c: null,
      gates: {},
    };

    it('sends it in pieces, in its place among the others, for one credit that stays', async () => {
      connect();
      await Promise.all([stream.send(PROGRESS, NEVER), stream.send(LARGE, NEVER), stream.send(CANCELLED, NEVER)]);
      expect(sent.map(({ sequence, event }) => [sequence, event.kind])).toEqual([
        [0, 'progress'],
        [1, 'states'],
        [2, 'cancelled'],
      ]);
      const event = sent[1]!.event as typeof LARGE;
      expect([event.x.length, event.h.length]).toEqual([3_000_000, 2_000_000]);
      expect(event.x.every((value) => value === 1) && event.h.every((value) => value === 2)).toBe(true);
      expect(items.length).toBeGreaterThan(10);
      await flood(INITIAL_CREDIT);
      expect(sent).toHaveLength(3 + INITIAL_CREDIT - 2);
    });

    it('sends no more pieces than there is credit for', async () => {
      givesBack = false;
      connect();
      const large = stream.send(LARGE, NEVER);
      await vi.waitFor(() => expect(items).toHaveLength(INITIAL_CREDIT));
      stream.grant(3);
      await vi.waitFor(() => expect(items).toHaveLength(INITIAL_CREDIT + 3));
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(items).toHaveLength(INITIAL_CREDIT + 3);
      stream.grant(200);
      await large;
      expect(sent.map(({ event }) => event.kind)).toEqual(['states']);
    });

    it('ends at once when its run is aborted while it waits for credit', async () => {
      givesBack = false;
      connect();
      const abort = new AbortController();
      const large = stream.send(LARGE, abort.signal);
      await vi.waitFor(() => expect(items).toHaveLength(INITIAL_CREDIT));
      abort.abort();
      await large;
      await stream.send(CANCELLED, abort.signal);
      expect(sent.map(({ event }) => event.kind)).toEqual(['cancelled']);
    });

    it('lets the event loop turn between the pieces', async () => {
      connect();
      let turns = 0;
      const count = (): void => {
        turns++;
        if (turns < 1000) setImmediate(count);
      };
      setImmediate(count);
      await stream.send(LARGE, NEVER);
      expect(turns).toBeGreaterThan(5);
      turns = 1000;
    });

    it('stops in the middle when its run is aborted, and leaves no gap in the numbers', async () => {
      connect();
      const abort = new AbortController();
      const large = stream.send(LARGE, abort.signal);
      await new Promise((resolve) => setImmediate(resolve));
      abort.abort();
      await large;
      await stream.send(CANCELLED, abort.signal);
      expect(sent.map(({ sequence, event }) => [sequence, event.kind])).toEqual([[0, 'cancelled']]);
      expect(items.length).toBeLessThan(8);
    });
  });
});
