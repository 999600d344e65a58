/**
 * What happened, on this machine only: a plain text file in the user's log folder, kept small, never sent anywhere.
 */
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A log larger than this is put aside once as `.old`. */
const MAX_LOG_BYTES = 1_000_000;

/** Writes one line. */
export type Log = (message: string) => void;

/**
 * A log over a file; a log that cannot be written costs the line, never the program.
 *
 * @param path - Absolute path of the log file; its folder is made.
 * @param echo - Also told of every line.
 */
export function openLog(path: string, echo: Log = () => undefined): Log {
  return (message) => {
    const line = `${new Date().toISOString()} ${message}\n`;
    echo(line);
    try {
      mkdirSync(dirname(path), { recursive: true });
      if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES) renameSync(path, `${path}.old`);
      appendFileSync(path, line);
    } catch (cause) {
      echo(`the log cannot be written: ${String(cause)}\n`);
    }
  };
}
