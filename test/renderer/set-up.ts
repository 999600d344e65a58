/** What the tests of the window share: a fake bridge in place, fresh stores, and waiting until something holds. */
import { createPinia, setActivePinia } from 'pinia';
import { afterEach } from 'vitest';
import { onNotice, onRunMessage } from '../../src/renderer/api';
import { makeBatcher } from '../../src/renderer/run-stream';
import { useRuns } from '../../src/renderer/stores/runs';
import { makeFakeBridge, type FakeBridge, type FakeOptions } from './fake-bridge';

let current: FakeBridge | null = null;
afterEach(() => current?.stop());

/**
 * A fake bridge connected to fresh stores, as main.ts connects the real one.
 *
 * @param options - What differs from an ordinary vanishing LSTM.
 */
export function connectFake(options: Partial<FakeOptions> = {}): FakeBridge {
  const bridge = makeFakeBridge(options);
  current = bridge;
  Object.assign(window, { tempograd: bridge });
  setActivePinia(createPinia());
  // Bound now: a stream that outlives its test must not reach the stores of the next.
  const runs = useRuns();
  onNotice(() => undefined);
  onRunMessage(
    makeBatcher(
      (messages) => runs.receive(messages),
      (count) => bridge.grantCredit(count),
      (callback) => setTimeout(callback, 0),
    ),
  );
  return bridge;
}

/**
 * Resolves when a condition holds; fails after five seconds.
 *
 * @param holds - The condition.
 */
export async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 5000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`waited in vain for ${String(holds)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
