/**
 * What a stretch of work left behind is given back before the next one takes as much again: an archive that was inflated
 * is as large as the model that came out of it, and the collector does not see a copy to another process coming.
 */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Less is not worth the pause. */
const WORTH_FREEING_BYTES = 128 * 1024 * 1024;

/** Collects what nothing refers to any more, where much lies outside the heap. */
export async function freeMemory(): Promise<void> {
  if (process.memoryUsage().arrayBuffers < WORTH_FREEING_BYTES) return;
  // What a weak reference gave in this turn is kept until the next one.
  await setImmediate();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (() => void) | undefined;
  collect?.();
}
