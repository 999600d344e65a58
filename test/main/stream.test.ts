import { setMaxListeners } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_CREDIT, makeRunStream, type RunStream } from '../../src/main/stream';
import { INITIAL_CREDIT } from '../../src/shared/channels';
import type { RunEvent, RunMessage } from '../../src/shared/run';

const PROGRESS: RunEvent = { kind: 'progress', fraction: 0.5, stage: 'final', secondsElapsed: 1 };
const CANCELLED: RunEvent = { kind: 'cancelled', fraction: 0.5 };
const NEVER = new AbortController().signal;
setMaxListeners(0, NEVER);

let stream: RunStream;
let sent: RunMessage[];

const connect = (): void => stream.connect({ post: (message) => sent.push(message) });
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Sends until one has to wait; gives how many went out. */
async function flood(count: number, signal = NEVER): Promise<Promise<void>[]> {
  const sends = Array.from({ length: count }, () => stream.send(PROGRESS, signal));
  await tick();
  return sends;
}

beforeEach(() => {
  sent = [];
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
});
