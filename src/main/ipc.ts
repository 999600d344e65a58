/**
 * The one gate between window and main, and the only file that names ipcMain.
 *
 * A request passes only from the main frame of a known window that shows the app's own page, under a known name, with
 * arguments that fit its schema. What a handler throws becomes a reply: nothing thrown crosses.
 */
import { ipcMain, type IpcMainInvokeEvent } from 'electron';
import { TempogradError, toErrorRecord, type ErrorRecord } from '../core/errors';
import { REQUEST_CHANNEL } from '../shared/channels';
import {
  requestSchemas,
  type Reply,
  type RequestInput,
  type RequestName,
  type RequestResults,
} from '../shared/contract';
import { isOwnPage } from './security';

/** One handler for each request; a missing one does not compile. */
export type RequestHandlers = {
  readonly [N in RequestName]: (input: RequestInput<N>) => Promise<RequestResults[N]>;
};

/** What the gate needs to know of a sender. */
export type Sender = Pick<IpcMainInvokeEvent, 'senderFrame' | 'sender'>;

/** What the gate is given. */
export interface GateOptions {
  readonly handlers: RequestHandlers;
  /** Whether web contents of this id belong to a window of the app. */
  readonly isKnownWindow: (contentsId: number) => boolean;
  /** Told of every refusal and of every bug. */
  readonly log: (message: string) => void;
}

/**
 * Opens the gate: requests of the window are answered from now on.
 *
 * @param options - Handlers and what counts as the app's own window.
 */
export function openGate(options: GateOptions): void {
  ipcMain.handle(REQUEST_CHANNEL, (event, name: unknown, input: unknown) => answerRequest(options, event, name, input));
}

/**
 * The reply to one request.
 *
 * @param options - Handlers and what counts as the app's own window.
 * @param sender - Who asks.
 * @param name - Name of the request, not yet trusted.
 * @param input - Its argument, not yet trusted.
 * @returns The handler's value, or the record of what went wrong; never rejects.
 */
export async function answerRequest(
  options: GateOptions,
  sender: Sender,
  name: unknown,
  input: unknown,
): Promise<Reply<unknown>> {
  const refusal = refuseSender(sender, options) ?? refuseName(name);
  if (refusal !== null) {
    options.log(`request refused: ${refusal}`);
    return { ok: false, error: badRequest(refusal) };
  }
  const known = name as RequestName;
  const parsed = requestSchemas[known].safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = issue && issue.path.length > 0 ? ` at ${issue.path.join('.')}` : '';
    return { ok: false, error: badRequest(`arguments of ${known} do not fit${where}: ${issue?.message ?? ''}`) };
  }
  const handle = options.handlers[known] as (argument: unknown) => Promise<unknown>;
  try {
    return { ok: true, value: await handle(parsed.data) };
  } catch (error) {
    const record = toErrorRecord(error);
    if (record.code === 'bug') options.log(`fault in ${known}: ${String(record.details['stack'])}`);
    return { ok: false, error: record };
  }
}

function refuseSender(sender: Sender, options: GateOptions): string | null {
  const frame = sender.senderFrame;
  if (!frame) return 'the sending frame is gone';
  if (!options.isKnownWindow(sender.sender.id)) return 'the sender is no window of Tempograd';
  if (frame.parent !== null) return 'the sender is not the main frame';
  return isOwnPage(frame.url) ? null : `the sending page is ${frame.url.slice(0, 200)}`;
}

function refuseName(name: unknown): string | null {
  return typeof name === 'string' && Object.hasOwn(requestSchemas, name) ? null : 'there is no such request';
}

function badRequest(reason: string): ErrorRecord {
  return toErrorRecord(
    new TempogradError('usage/bad-option', `The request was refused: ${reason}`, {
      remedy: 'Please report this; the window asked for something that does not exist.',
    }),
  );
}
