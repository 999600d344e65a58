/**
 * Run messages gathered into one batch a frame, and the credit given back for them.
 *
 * A hidden window gets no frames, so a timer stands in: a run must not stop because its window is covered.
 */
import type { RunMessage } from '../shared/run';

/** Longest wait for a frame, milliseconds. */
const HIDDEN_WINDOW_DELAY_MS = 200;

const ENDINGS: ReadonlySet<string> = new Set(['done', 'cancelled', 'failed']);

/** Calls back at the next frame, or after a while when there are no frames. */
export type Scheduler = (callback: () => void) => void;

/**
 * Schedules by animation frame with a timer behind it.
 *
 * @param callback - Called once.
 */
export function nextFrame(callback: () => void): void {
  let isCalled = false;
  const once = (): void => {
    if (isCalled) return;
    isCalled = true;
    clearTimeout(timer);
    callback();
  };
  const timer = setTimeout(once, HIDDEN_WINDOW_DELAY_MS);
  requestAnimationFrame(once);
}

/**
 * A receiver of run messages that hands them on in batches.
 *
 * @param apply - Takes all messages of one frame, in order.
 * @param grant - Gives credit back, once for each message that took some (endings do not).
 * @param schedule - When a batch is handed on.
 */
export function makeBatcher(
  apply: (messages: readonly RunMessage[]) => void,
  grant: (count: number) => void,
  schedule: Scheduler = nextFrame,
): (message: RunMessage) => void {
  let queue: RunMessage[] = [];
  const flush = (): void => {
    const batch = queue;
    queue = [];
    try {
      apply(batch);
    } finally {
      grant(batch.filter((message) => !ENDINGS.has(message.event.kind)).length);
    }
  };
  return (message) => {
    queue.push(message);
    if (queue.length === 1) schedule(flush);
  };
}
