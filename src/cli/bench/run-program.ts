/** Programs beside this one: a Python with peers, a window. */
import { spawn } from 'node:child_process';

/** What a program printed, and how it ended. */
export interface EndedProgram {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs a program to its end.
 *
 * @param program - Its name or path.
 * @param args - Its arguments.
 * @param signal - Ends it.
 */
export function runProgram(program: string, args: readonly string[], signal: AbortSignal): Promise<EndedProgram> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = (): void => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    let out = '';
    let err = '';
    child.stdout.on('data', (text: Buffer) => (out += text.toString()));
    child.stderr.on('data', (text: Buffer) => (err += text.toString()));
    child.once('error', (cause) => {
      signal.removeEventListener('abort', stop);
      resolve({ code: 1, out: '', err: `${program} did not start: ${cause.message}` });
    });
    child.once('close', (code) => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) reject(signal.reason as Error);
      else resolve({ code: code ?? 1, out, err });
    });
  });
}
