/**
 * Long work in the window, a slice at a time, so that a click never waits for it.
 *
 * All of it shares one queue: ten pictures that are painted at once still take one slice between two events.
 */

/** Longest time that the window is busy in one go, milliseconds. */
const SLICE_MS = 4;

/** A work that is under way; what it gives is known when it ends. */
interface Work {
  step(): boolean;
}

const queue: Work[] = [];
let isWaiting = false;

function turn(): void {
  isWaiting = false;
  const end = performance.now() + SLICE_MS;
  while (queue.length > 0 && performance.now() < end) {
    if (queue[0]!.step()) queue.shift();
  }
  wake();
}

function wake(): void {
  if (isWaiting || queue.length === 0) return;
  isWaiting = true;
  // The pause that browsers put between timers is welcome: events and frames have their turn in it.
  setTimeout(turn, 0);
}

/**
 * What a generator gives at its end.
 *
 * @param slices - Yields after at most a few milliseconds of work.
 * @param isWanted - Asked before every slice; once it is false the work is dropped.
 * @returns The result, or null for work that was dropped.
 */
export function inSlices<T>(slices: Generator<void, T, void>, isWanted: () => boolean): Promise<T | null> {
  return new Promise((resolve, reject) => {
    queue.push({
      step() {
        try {
          if (!isWanted()) {
            resolve(null);
            return true;
          }
          const { done, value } = slices.next();
          if (done === true) resolve(value);
          return done === true;
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
          return true;
        }
      },
    });
    wake();
  });
}
