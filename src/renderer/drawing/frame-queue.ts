/**
 * What is to be drawn, a frame's worth at a time: ten charts that are due at once must not hold up a click until the last
 * is drawn.
 */

/** Time of a frame that drawing may take, milliseconds; one drawing is always done. */
const FRAME_SHARE_MS = 10;

const queue: (() => void)[] = [];
let isAsked = false;

function ask(): void {
  if (isAsked || queue.length === 0) return;
  isAsked = true;
  requestAnimationFrame(frame);
}

function frame(): void {
  isAsked = false;
  const end = performance.now() + FRAME_SHARE_MS;
  try {
    do queue.shift()?.();
    while (queue.length > 0 && performance.now() < end);
  } finally {
    ask();
  }
}

/**
 * Calls back in the next frame that has time.
 *
 * @param callback - Called once.
 */
export function inFrame(callback: () => void): void {
  queue.push(callback);
  ask();
}
