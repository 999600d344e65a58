/**
 * A command whose work runs in a child process, so that a native crash is an error with a code and not a vanished shell.
 *
 * The child is this same command. It prints for itself; the parent only passes on Ctrl-C, waits, and says when the
 * child died. A child whose parent dies ends itself.
 */
import { spawn } from 'node:child_process';
import { TempogradError } from '../core/errors';

/** Set in the child. */
const CHILD_MARK = 'TEMPOGRAD_SUPERVISED';

/** True in the process that does the work. */
export function isSupervised(): boolean {
  return process.env[CHILD_MARK] === '1';
}

/**
 * Runs this command again in a child and gives its exit code.
 *
 * @param script - The entry to run.
 * @param args - Its arguments.
 * @param environment - Settings that must be in place before native libraries load.
 * @param onKilled - Told of a child that did not end by itself, to clean up after it.
 * @throws TempogradError `engine/stopped` when the child was killed or crashed.
 */
export function superviseCommand(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  onKilled: (pid: number) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    // Its own process group: the terminal's Ctrl-C must reach the child once, through here.
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, ...environment, [CHILD_MARK]: '1' },
      detached: process.platform !== 'win32',
    });
    const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
    process.on('SIGINT', passOn);
    process.on('SIGTERM', passOn);
    const finish = (): void => {
      process.off('SIGINT', passOn);
      process.off('SIGTERM', passOn);
    };
    child.once('error', (cause) => {
      finish();
      reject(new TempogradError('engine/stopped', `The engine process did not start: ${cause.message}`, { cause }));
    });
    child.once('exit', (code, signal) => {
      finish();
      if (code !== null) return resolve(code);
      onKilled(child.pid ?? 0);
      const said = `The engine process was ended by ${signal ?? 'a signal'}`;
      return reject(new TempogradError('engine/stopped', said, { details: { signal } }));
    });
  });
}

/**
 * Ties this child to its parent and to Ctrl-C.
 *
 * @param cancel - Called at the first Ctrl-C (or request to end); the work then stops at its next chunk.
 */
export function followParent(cancel: () => void): void {
  process.on('SIGINT', cancel);
  process.on('SIGTERM', cancel);
  // The parent is gone: nobody waits for the result any more.
  process.once('disconnect', () => process.exit(1));
  process.channel?.unref();
}
