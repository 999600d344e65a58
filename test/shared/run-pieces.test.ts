import { describe, expect, it } from 'vitest';
import type { RunEvent, RunMessage } from '../../src/shared/run';
import { arrayBytesOf, makeJoiner, splitMessage, type RunItem } from '../../src/shared/run-pieces';

const PROGRESS: RunMessage = {
  runId: 1,
  sequence: 9,
  event: { kind: 'progress', fraction: 0.5, stage: 'final', secondsElapsed: 1 },
};

function statesMessage(steps: number): RunMessage {
  const float32 = (seed: number): Float32Array =>
    Float32Array.from({ length: steps }, (_, index) => Math.sin(seed + index));
  const event: RunEvent = {
    kind: 'states',
    x: float32(1),
    mask: Uint8Array.from({ length: steps }, (_, index) => index % 2),
    h: Float64Array.from(float32(2)),
    c: null,
    gates: { i: float32(3), f: new Float32Array(0) },
  };
  return { runId: 1, sequence: 4, event };
}

/** Joins items as the page does, each cloned as a port would. */
function join(items: Iterable<RunItem>): RunMessage[] {
  const received: RunMessage[] = [];
  const take = makeJoiner(
    (message) => received.push(message),
    () => (granted += 1),
  );
  granted = 0;
  for (const item of items) take(structuredClone(item));
  return received;
}

/** Credit that the last `join` gave back. */
let granted = 0;

describe('message pieces', () => {
  it.each([1, 7, 64, 1000])('give back the very message, %i bytes a piece', (pieceBytes) => {
    const message = statesMessage(50);
    const items = [...splitMessage(message, pieceBytes)];
    expect(join(items)).toEqual([message]);
    const head = items[0];
    expect(head?.kind === 'head' && head.pieces).toBe(items.length - 1);
    // The message's own credit is given back by who receives it.
    expect(granted).toBe(items.length - 1);
  });

  it('are never larger than they may be, and carry nothing but their part', () => {
    for (const item of splitMessage(statesMessage(500), 256)) {
      if (item.kind === 'piece') expect(item.values.buffer.byteLength).toBeLessThanOrEqual(256);
      else expect(arrayBytesOf(item.message.event)).toBe(0);
    }
  });

  it('leave the message that is split as it is', () => {
    const message = statesMessage(20);
    const before = structuredClone(message);
    expect([...splitMessage(message, 16)].length).toBeGreaterThan(5);
    expect(message).toEqual(before);
  });

  it('let whole messages through', () => {
    expect(join([PROGRESS, PROGRESS])).toEqual([PROGRESS, PROGRESS]);
  });

  it('drop a message that is not sent to its end', () => {
    const [head, first] = [...splitMessage(statesMessage(50), 64)];
    const whole = statesMessage(10);
    expect(join([head!, first!, PROGRESS])).toEqual([PROGRESS]);
    expect(granted).toBe(2);
    expect(join([head!, first!, ...splitMessage(whole, 64)])).toEqual([whole]);
    expect(join([first!, PROGRESS])).toEqual([PROGRESS]);
  });

  it('join a message without a single number', () => {
    const message = statesMessage(0);
    expect(join(splitMessage(message, 64))).toEqual([message]);
  });
});

describe('arrayBytesOf', () => {
  it('counts arrays at every depth', () => {
    expect(arrayBytesOf(statesMessage(10).event)).toBe(40 + 10 + 80 + 40);
    expect(arrayBytesOf(PROGRESS.event)).toBe(0);
  });
});
