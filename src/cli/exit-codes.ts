/**
 * Exit codes and the two lines that a failed command prints; docs/cli.md, "Ends and errors".
 */
import { TempogradError, toErrorRecord, type ErrorCode } from '../core/errors';

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

/** Where a command prints. */
export interface Output {
  /** Standard output. */
  out(text: string): void;
  /** Standard error. */
  err(text: string): void;
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
  if (isJson) output.out(`${JSON.stringify({ schema: 1, error: record }, null, 2)}\n`);
  return exitCodeOf(error);
}

/** Text of a file may hold control characters; a terminal must not obey them. */
function oneLine(text: string): string {
  return [...text].map((character) => (isControl(character.codePointAt(0)!) ? ' ' : character)).join('');
}

function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}
