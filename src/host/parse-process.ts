/**
 * Files of strangers are parsed in a process of their own, which is killed when it takes too long.
 *
 * The same for the command (plain Node child) and the window (utility process): how the process is started is a
 * parameter. A reader that hangs, crashes or runs out of memory costs this one reading and nothing else.
 */
import { availableParallelism, loadavg } from 'node:os';
import { basename } from 'node:path';
import { TempogradError, fromErrorRecord } from '../core/errors';
import { DEFAULT_LIMITS, type ReadLimits } from '../readers/limits';
import type { ChildChannel, StartChild } from './child-channel';
import type { FromReader, ReaderJob, ReaderResult } from './reader-messages';

/** A parse may take this much longer for each 100 MB. */
const PARSE_MS_PER_100_MB = 1_000;

/** Starting the process and working out weight statistics afterwards are not parsing and have a limit of their own. */
const OTHER_STAGE_MS = 60_000;

/**
 * How long parsing a file may take, milliseconds.
 *
 * @param bytes - Its size.
 * @param baseSeconds - What any file may take, `maxParseSeconds`.
 */
export function parseLimitMs(bytes: number, baseSeconds = DEFAULT_LIMITS.maxParseSeconds): number {
  return 1000 * baseSeconds + (PARSE_MS_PER_100_MB * bytes) / 100e6;
}

/** A timer cannot be set further ahead. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** No machine stretches the limit further than this. */
const MAX_CROWDING = 8;

/**
 * How many processes stand in line for each core, at least 1: a harmless file on a machine that is busy with other work
 * needs that much longer. Windows tells no load, so 1 there.
 */
function crowding(): number {
  return Math.min(MAX_CROWDING, Math.max(1, loadavg()[0]! / availableParallelism()));
}

/** One reading. */
export interface ParseOrder {
  readonly job: ReaderJob;
  /** Bytes of all files together, from which the limit follows. */
  readonly bytes: number;
  /** Name for messages. */
  readonly name: string;
  /** Ports handed to the process with the job; the result then goes there. */
  readonly ports?: readonly unknown[];
  /** Instead of `parseLimitMs`. */
  readonly limitMs?: number;
}

/** A reading that has succeeded; its process lives until `release`. */
export interface Parsed<R extends ReaderResult> {
  readonly result: R;
  /** Ends the process; to be called when whatever it sends over a port has arrived. */
  release(): void;
}

/**
 * The result of a job, read by a child process.
 *
 * @param startChild - Starts a reader process.
 * @param order - What to read, and the limits.
 * @throws TempogradError what the reader found; `reader/limit-exceeded` when it was killed for taking too long;
 * `reader/corrupt` when its process ended by itself.
 */
export function parseInChild<R extends ReaderResult>(startChild: StartChild, order: ParseOrder): Promise<Parsed<R>> {
  const baseSeconds = limitsOf(order.job).maxParseSeconds ?? DEFAULT_LIMITS.maxParseSeconds;
  const limitMs = order.limitMs ?? parseLimitMs(order.bytes, baseSeconds) * crowding();
  return new Promise((resolve, reject) => {
    const child: ChildChannel = startChild();
    let timer: NodeJS.Timeout | undefined;
    let isSettled = false;
    const settle = (action: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      action();
    };
    const fail = (error: Error): void =>
      settle(() => {
        child.kill();
        reject(error);
      });
    const limit = (milliseconds: number, raisable: number | null = null): void => {
      clearTimeout(timer);
      const late = (): void => fail(tooSlow(order.name, milliseconds, raisable));
      timer = setTimeout(late, Math.min(milliseconds, MAX_TIMER_MS));
    };

    limit(OTHER_STAGE_MS);
    child.onMessage((raw) => {
      const message = raw as FromReader;
      if (message.kind === 'ready') {
        limit(limitMs, baseSeconds);
        child.send(order.job, order.ports);
      } else if (message.kind === 'parsed') limit(OTHER_STAGE_MS);
      else if (message.kind === 'failed') fail(fromErrorRecord(message.error));
      else settle(() => resolve({ result: message.result as R, release: () => child.kill() }));
    });
    child.onExit((code) => fail(crashed(order.name, code)));
  });
}

/** Caps that the user set for a job. */
function limitsOf(job: ReaderJob): Partial<ReadLimits> {
  return job.kind === 'model' ? job.options.limits : (job.limits ?? {});
}

/** `allowed` is the cap that a user can raise, null where none is met; how long it would have taken is not known. */
function tooSlow(name: string, milliseconds: number, allowed: number | null): TempogradError {
  const seconds = Math.round(milliseconds / 100) / 10;
  const cap = allowed === null ? null : { limit: 'maxParseSeconds', value: allowed, allowed };
  return new TempogradError('reader/limit-exceeded', `${basename(name)} was not read within ${seconds} s`, {
    remedy:
      'A file of this size should be read by then; it is damaged, or made to stall a reader.' +
      (cap ? ' If it is honest, raise the limit maxParseSeconds.' : ''),
    details: { file: name, limitSeconds: seconds, ...cap },
  });
}

function crashed(name: string, code: number | null): TempogradError {
  return new TempogradError(
    'reader/corrupt',
    `The reader process ended while it read ${basename(name)} (code ${code ?? 'none'})`,
    { details: { file: name, exitCode: code } },
  );
}
