import { describe, expect, it } from 'vitest';
import { inSlices } from '../../src/renderer/drawing/slices';

/** A generator that keeps the processor for `total` milliseconds, one at a time. */
function* busy(total: number, name: string, log: string[]): Generator<void, string, void> {
  for (let done = 0; done < total; done += 1) {
    const end = performance.now() + 1;
    while (performance.now() < end);
    yield;
  }
  log.push(name);
  return name;
}

describe('work in slices', () => {
  it('gives what it made, one work after another, and lets other events in between', async () => {
    const log: string[] = [];
    let events = 0;
    const timer = setInterval(() => (events += 1), 0);
    const results = await Promise.all([
      inSlices(busy(40, 'a', log), () => true),
      inSlices(busy(40, 'b', log), () => true),
    ]);
    clearInterval(timer);
    expect(results).toEqual(['a', 'b']);
    expect(log).toEqual(['a', 'b']);
    expect(events).toBeGreaterThanOrEqual(3);
  });

  it('drops what is no longer wanted, and goes on with the rest', async () => {
    const log: string[] = [];
    let isWanted = true;
    const dropped = inSlices(busy(1000, 'a', log), () => isWanted);
    const kept = inSlices(busy(2, 'b', log), () => true);
    setTimeout(() => (isWanted = false), 5);
    expect(await dropped).toBeNull();
    expect(await kept).toBe('b');
    expect(log).toEqual(['b']);
  });

  it('hands on what goes wrong, and goes on with the rest', async () => {
    const fails = inSlices(
      (function* (): Generator<void, never, void> {
        yield;
        throw new Error('no canvas');
      })(),
      () => true,
    );
    const kept = inSlices(busy(2, 'b', []), () => true);
    await expect(fails).rejects.toThrow('no canvas');
    expect(await kept).toBe('b');
  });
});
