/**
 * Run messages on their way to the window, never more of them than the window has asked for.
 *
 * The engine process holds the sending side. A chunk is sent when there is credit, else the run waits: a window that
 * stands still must not make the engine's memory grow. The pieces of a large message need credit each, so that what a
 * cancelled run has left on the way is small. The three endings need none, so that an end always arrives.
 */
import { INITIAL_CREDIT } from '../shared/channels';
import type { RunEvent } from '../shared/run';
import { PIECE_BYTES, arrayBytesOf, splitMessage, type RunItem } from '../shared/run-pieces';

/** More credit than this is never kept: a window that grants without measure gets no unbounded queue. */
export const MAX_CREDIT = 256;

/** Where messages go; a port to the window. */
export interface RunPort {
  post(item: RunItem): void;
}

/** The sending side of the run port. */
export interface RunStream {
  /** Takes a new port (a new window, or a window that was loaded again); credit starts afresh. */
  connect(port: RunPort | null): void;
  /** Credit that the window grants; anything but a positive whole number is ignored. */
  grant(count: unknown): void;
  /** Numbers messages of a new run from 0. */
  begin(runId: number): void;
  /**
   * Sends one event of the run that `begin` named, when there is credit for it.
   *
   * @param event - The event; its arrays are copied by sending.
   * @param signal - Ends the waiting: the event is then dropped, because nobody wants it any more.
   */
  send(event: RunEvent, signal: AbortSignal): Promise<void>;
}

const ENDINGS: ReadonlySet<RunEvent['kind']> = new Set(['done', 'cancelled', 'failed']);

/** An event that waits for credit. */
interface Waiting {
  readonly event: RunEvent;
  readonly signal: AbortSignal;
  readonly finish: () => void;
}

/** A stream that is not connected yet; without a port, events wait for one. */
export function makeRunStream(): RunStream {
  let port: RunPort | null = null;
  let credit = 0;
  let runId = 0;
  let sequence = 0;
  let queue: Waiting[] = [];

  /** Resolves when no message is under way in pieces. */
  let splitting: Promise<void> | null = null;
  /** Lets the next piece go on its way. */
  let wakePieces = (): void => undefined;

  const post = (event: RunEvent): void => port?.post({ runId, sequence: sequence++, event });
  const postInPieces = async ({ event, signal }: Waiting): Promise<void> => {
    const to = port;
    const isOver = (): boolean => signal.aborted || to !== port;
    for (const item of splitMessage({ runId, sequence, event })) {
      // The head has its credit from `drain`.
      if (item.kind === 'piece') {
        while (credit === 0 && !isOver()) await creditOrAbort(signal);
        if (!isOver()) credit--;
      }
      // A message that is not sent to its end does not count, and the next one takes its number.
      if (isOver()) return;
      to?.post(item);
      await new Promise((resolve) => setImmediate(resolve));
    }
    sequence += 1;
  };
  const creditOrAbort = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      wakePieces = () => {
        signal.removeEventListener('abort', wakePieces);
        resolve();
      };
      signal.addEventListener('abort', wakePieces, { once: true });
    });
  const drain = (): void => {
    wakePieces();
    while (port !== null && credit > 0 && splitting === null) {
      const next = queue.shift();
      if (!next) return;
      credit--;
      if (arrayBytesOf(next.event) <= PIECE_BYTES) {
        post(next.event);
        next.finish();
        continue;
      }
      splitting = postInPieces(next).then(() => {
        splitting = null;
        next.finish();
        drain();
      });
    }
  };

  return {
    connect(next) {
      port = next;
      credit = INITIAL_CREDIT;
      drain();
    },
    grant(count) {
      if (!Number.isSafeInteger(count) || (count as number) <= 0) return;
      credit = Math.min(MAX_CREDIT, credit + (count as number));
      drain();
    },
    begin(id) {
      runId = id;
      sequence = 0;
    },
    async send(event, signal) {
      if (ENDINGS.has(event.kind)) {
        if (splitting) await splitting;
        return post(event);
      }
      if (signal.aborted) return;
      await new Promise<void>((resolve) => {
        const giveUp = (): void => {
          queue = queue.filter((other) => other !== waiting);
          resolve();
        };
        const finish = (): void => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        };
        const waiting = { event, signal, finish };
        signal.addEventListener('abort', giveUp, { once: true });
        queue.push(waiting);
        drain();
      });
    },
  };
}
