/**
 * A command whose work runs in a child process, so that a native crash is an error with a code and not a vanished shell.
 *
 * The child is this same command. It prints for itself; the parent only passes on Ctrl-C, waits, and says when the
 * child died. A child whose parent dies ends itself. Ctrl-C reaches the child as a message, never as a signal: signals
 * interrupt whatever thread computes, and matrix products of oneDNN were seen to crash under many of them.
 */
import { spawn } from 'node:child_process';
import { TempogradError } from '../core/errors';
import { EXIT, type Output } from './exit-codes';

/** Set in the child. */
const CHILD_MARK = 'TEMPOGRAD_SUPERVISED';

/** What a parent sends its child to end the work. */
const CANCEL = 'cancel';

/** Signals that ask a command to end. */
const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** So much of what a crashed child's libraries said is shown. */
const MAX_NOISE_CHARACTERS = 4000;

/** True in the process that does the work. */
export function isSupervised(): boolean {
  return process.env[CHILD_MARK] === '1';
}

/** The command to run in a child. */
export interface SupervisedCommand {
  /** Its entry and arguments. */
  readonly script: string;
  readonly args: readonly string[];
  /** Settings that must be in place before native libraries load. */
  readonly environment: Readonly<Record<string, string>>;
  readonly output: Output;
  /** Called with the id of a child that did not end by itself, to clean up after it. */
  onKilled(pid: number): void;
}

/**
 * Runs a command in a child and gives its exit code.
 *
 * The first Ctrl-C lets it keep what it has, the second ends it at once.
 *
 * @param command - What to run.
 * @throws TempogradError `engine/stopped` when the child was killed or crashed.
 */
export function superviseCommand(command: SupervisedCommand): Promise<number> {
  const { script, args, environment, output, onKilled } = command;
  return new Promise((resolve, reject) => {
    // Its own process group: the terminal's Ctrl-C must not reach the child but through here.
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['inherit', 'inherit', 'pipe', 'ipc', process.stderr],
      env: { ...process.env, ...environment, [CHILD_MARK]: '1' },
      detached: process.platform !== 'win32',
    });
    let noise = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      noise = (noise + chunk.toString()).slice(-MAX_NOISE_CHARACTERS);
    });
    let interrupts = 0;
    const passOn = (): void => {
      interrupts += 1;
      if (interrupts > 1) child.kill('SIGKILL');
      // A channel that is closed already belongs to a child that is ending.
      else if (child.connected) child.send(CANCEL, () => undefined);
    };
    for (const signal of END_SIGNALS) process.on(signal, passOn);
    const finish = (): void => {
      for (const signal of END_SIGNALS) process.off(signal, passOn);
    };
    child.once('error', (cause) => {
      finish();
      reject(new TempogradError('engine/stopped', `The engine process did not start: ${cause.message}`, { cause }));
    });
    // Not 'exit': its last words may still be on the way.
    child.once('close', (code, signal) => {
      finish();
      if (code !== null && code < FIRST_ABNORMAL_CODE) return resolve(code);
      if (code === EXIT.cancelled) return resolve(code);
      onKilled(child.pid ?? 0);
      if (interrupts > 0) {
        output.err('tempograd: cancelled; nothing was written\n');
        return resolve(EXIT.cancelled);
      }
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      const said = noise.trim();
      const details = { signal, exitCode: code, ...(said !== '' && { said }) };
      return reject(new TempogradError('engine/stopped', `The engine process was ended ${how}`, { details }));
    });
  });
}

/** From here on an exit code is none of this program's own but that of a cancelled run: a crash that a shell or Node turned into one. */
const FIRST_ABNORMAL_CODE = 100;

/**
 * Ties this child to its parent, whose word alone ends its work; signals to end are the parent's to hear.
 *
 * @param cancel - Called when the parent says so; the work then stops at its next chunk.
 * @param onOrphaned - Called when the parent is gone, before this process ends: nobody waits for the result any more.
 */
export function followParent(cancel: () => void, onOrphaned: () => void): void {
  for (const signal of END_SIGNALS) process.on(signal, () => undefined);
  process.on('message', (message) => {
    if (message === CANCEL) cancel();
  });
  process.once('disconnect', () => {
    onOrphaned();
    process.exit(EXIT.bug);
  });
  process.channel?.unref();
}
