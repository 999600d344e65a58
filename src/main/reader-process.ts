/**
 * Entry of the reader process: one job, then it waits to be ended. Runs as an Electron utility process and as a plain
 * Node child alike.
 *
 * With a port, the model or the arrays go there and only their description to the owner.
 */
import '../host/block-network';
import type { MessagePortMain } from 'electron';
import { toErrorRecord } from '../core/errors';
import { runReaderJob } from '../host/reader-job';
import type { FromReader, ReaderJob, ReaderResult } from '../host/reader-messages';

const { parentPort } = process as { parentPort?: Electron.ParentPort };

/** Answers one job; what goes wrong, bugs included, is told and not thrown. */
async function perform(
  job: ReaderJob,
  port: MessagePortMain | undefined,
  post: (message: FromReader) => void,
): Promise<void> {
  try {
    const result = await runReaderJob(job, () => post({ kind: 'parsed' }));
    post({ kind: 'result', result: port ? handOver(result, port) : result });
  } catch (error) {
    post({ kind: 'failed', error: toErrorRecord(error) });
  }
}

function handOver(result: ReaderResult, port: MessagePortMain): ReaderResult {
  if (result.kind === 'model') {
    port.postMessage(result.model);
    return { ...result, model: null };
  }
  port.postMessage(result.arrays);
  return { ...result, arrays: null };
}

if (parentPort) {
  const post = (message: FromReader): void => parentPort.postMessage(message);
  parentPort.on('message', ({ data, ports }) => void perform(data as ReaderJob, ports[0], post));
  post({ kind: 'ready' });
} else {
  const post = (message: FromReader): void => void process.send?.(message);
  process.on('message', (job) => void perform(job as ReaderJob, undefined, post));
  // The owner is gone: nobody waits for the answer any more.
  process.on('disconnect', () => process.exit(0));
  post({ kind: 'ready' });
}
