import { describe, expect, it } from 'vitest';
import { makeBatcher } from '../../src/renderer/run-stream';
import type { RunEvent, RunMessage } from '../../src/shared/run';

const message = (sequence: number, event: RunEvent): RunMessage => ({ runId: 1, sequence, event });
const progress = (sequence: number): RunMessage =>
  message(sequence, { kind: 'progress', fraction: 0, stage: 'final', secondsElapsed: 0 });

describe('the run stream', () => {
  it('hands on one batch a frame, in order, and gives the credit back afterwards', () => {
    const log: string[] = [];
    const frames: (() => void)[] = [];
    const receive = makeBatcher(
      (messages) => log.push(`apply ${messages.map(({ sequence }) => sequence).join()}`),
      (count) => log.push(`grant ${count}`),
      (callback) => frames.push(callback),
    );
    receive(progress(0));
    receive(progress(1));
    expect([log, frames.length]).toEqual([[], 1]);
    frames.shift()!();
    receive(progress(2));
    frames.shift()!();
    expect(log).toEqual(['apply 0,1', 'grant 2', 'apply 2', 'grant 1']);
  });

  it('gives no credit for endings, because they took none', () => {
    const granted: number[] = [];
    const frames: (() => void)[] = [];
    const receive = makeBatcher(
      () => undefined,
      (count) => granted.push(count),
      (callback) => frames.push(callback),
    );
    receive(progress(0));
    receive(message(1, { kind: 'cancelled', fraction: 0.5 }));
    frames[0]!();
    expect(granted).toEqual([1]);
  });

  it('gives the credit back even when a message was a fault, so that the engine is not left waiting', () => {
    const granted: number[] = [];
    const frames: (() => void)[] = [];
    const receive = makeBatcher(
      () => {
        throw new Error('gap');
      },
      (count) => granted.push(count),
      (callback) => frames.push(callback),
    );
    receive(progress(0));
    expect(frames[0]!).toThrow('gap');
    expect(granted).toEqual([1]);
  });
});
