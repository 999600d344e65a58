/**
 * An Electron utility process as a `ChildChannel`.
 */
import { utilityProcess, type MessagePortMain } from 'electron';
import type { ChildChannel } from '../host/child-channel';

/** A process that does not follow a polite end within this time is killed the hard way. */
const HARD_KILL_MS = 300;

/** What a utility process is started with. */
export interface UtilityChildOptions {
  /** Absolute path of its entry. */
  readonly entry: string;
  /** Shown in process lists. */
  readonly serviceName: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Told of every line the child prints. */
  readonly onOutput: (text: string) => void;
}

/**
 * A utility process as a channel.
 *
 * @param options - Entry, name, environment.
 */
export function startUtilityChild(options: UtilityChildOptions): ChildChannel {
  const child = utilityProcess.fork(options.entry, [], {
    serviceName: options.serviceName,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const output of [child.stdout, child.stderr]) {
    output?.on('data', (data: Buffer) =>
      options.onOutput(`${options.serviceName}: ${data.toString('utf8').trimEnd()}`),
    );
  }
  return {
    send: (message, ports = []) => child.postMessage(message, ports as MessagePortMain[]),
    onMessage: (receive) => void child.on('message', receive),
    onExit: (receive) => void child.on('exit', receive),
    kill() {
      const { pid } = child;
      child.kill();
      if (pid === undefined) return;
      const timer = setTimeout(() => killHard(pid), HARD_KILL_MS);
      child.once('exit', () => clearTimeout(timer));
    },
  };
}

function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
