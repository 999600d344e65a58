/**
 * Exit codes and the two lines that a failed command prints; docs/cli.md, "Ends and errors".
 */
import { TempogradError, toErrorRecord, type ErrorCode } from '../core/errors';
import { jsonText, oneLine } from './terminal-text';

/** Exit codes of every command. */
export const EXIT = {
  done: 0,
  bug: 1,
  usage: 2,
  expected: 3,
  engineFailed: 4,
  failOnMatched: 10,
  cancelled: 130,
} as const;

const ENGINE_FAILURES: readonly ErrorCode[] = ['engine/stopped', 'engine/native-library-missing'];

/**
 * The exit code that an error means.
 *
 * @param error - Anything thrown.
 */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof TempogradError)) return EXIT.bug;
  if (error.code === 'usage/bad-option') return EXIT.usage;
  return ENGINE_FAILURES.includes(error.code) ? EXIT.engineFailed : EXIT.expected;
}

/** Where a command prints; text that a terminal would obey is made harmless on the way. */
export interface Output {
  /** Standard output. */
  out(text: string): void;
  /** Standard error. */
  err(text: string): void;
  /** Standard error as it is: for the program's own drawing. */
  draw(text: string): void;
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean;
}

/**
 * Prints an error as docs/cli.md says and gives the exit code.
 *
 * @param error - Anything thrown.
 * @param isJson - Whether standard output carries JSON.
 * @param output - Where to print.
 */
export function reportError(error: unknown, isJson: boolean, output: Output): number {
  const record = toErrorRecord(error);
  output.err(`tempograd: ${record.code}: ${oneLine(record.message)}\n  ${oneLine(record.remedy)}\n`);
  if (record.code === 'bug') output.err(`${String(record.details['stack'] ?? '')}\n`);
  if (isJson) output.out(`${jsonText({ schema: 1, error: record })}\n`);
  return exitCodeOf(error);
}
