/** Whether a run fits the memory that it may take. */
import { TempogradError } from '../core/errors';
import type { RunRequest } from '../shared/run';

/**
 * Refuses a run that does not fit even in the smallest pieces.
 *
 * @param peakBytes - What it holds then.
 * @param request - With the limit.
 * @throws TempogradError `engine/out-of-memory`.
 */
export function checkMemory(peakBytes: number, { maxMemoryBytes: limit }: RunRequest): void {
  if (limit === null || peakBytes <= limit) return;
  throw new TempogradError(
    'engine/out-of-memory',
    `the run needs about ${peakBytes} bytes even in its smallest pieces, the limit is ${limit}`,
    { details: { peakBytes, maxMemory: limit } },
  );
}
