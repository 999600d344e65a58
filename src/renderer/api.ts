/**
 * The only file that touches the bridge of the preload.
 *
 * A request never throws: what goes wrong, here or on the other side, comes back as an `ErrorRecord`.
 */
import { toErrorRecord } from '../core/errors';
import type { Bridge, Notice, Reply, RequestInput, RequestName, RequestResults } from '../shared/contract';
import type { RunMessage } from '../shared/run';
import { makeJoiner } from '../shared/run-pieces';

declare global {
  interface Window {
    readonly tempograd: Bridge;
  }
}

/**
 * The reply to a request.
 *
 * @param name - Which request.
 * @param input - What it takes; plain data, no reactive objects.
 */
export async function request<N extends RequestName>(
  name: N,
  input: RequestInput<N>,
): Promise<Reply<RequestResults[N]>> {
  try {
    return await window.tempograd.request(name, input);
  } catch (error) {
    return { ok: false, error: toErrorRecord(error) };
  }
}

/**
 * Registers the one receiver of notices.
 *
 * @param receive - Called for each notice.
 */
export function onNotice(receive: (notice: Notice) => void): void {
  window.tempograd.onNotice(receive);
}

/**
 * Registers the one receiver of run messages.
 *
 * @param receive - Called for each message.
 */
export function onRunMessage(receive: (message: RunMessage) => void): void {
  window.tempograd.onRunMessage(makeJoiner(receive, () => grantCredit(1)));
}

/**
 * Lets the engine send more run messages.
 *
 * @param count - How many.
 */
export function grantCredit(count: number): void {
  if (count > 0) window.tempograd.grantCredit(count);
}

/**
 * The real paths of dropped files; those without one (a picture dragged from a page) are left out.
 *
 * @param files - What was dropped.
 */
export function pathsOfFiles(files: readonly File[]): string[] {
  return files.map((file) => window.tempograd.pathOfFile(file)).filter((path) => path !== '');
}
