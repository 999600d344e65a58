/**
 * A helper process as its owner sees it: messages in, messages out, an end, and a kill that works on an endless loop.
 *
 * The command starts plain Node children, the window Electron utility processes; whoever watches a child knows only
 * this interface, which is also how tests stand in for one.
 */
import { fork } from 'node:child_process';

/** A running helper process. */
export interface ChildChannel {
  /**
   * Sends a message; silently lost when the child has ended, which `onExit` tells.
   *
   * @param message - Plain data (structured clone).
   * @param ports - Message ports to hand over; only utility processes take them.
   */
  send(message: unknown, ports?: readonly unknown[]): void;
  /** Sets the one receiver of the child's messages. */
  onMessage(receive: (message: unknown) => void): void;
  /** Sets the one receiver of the child's end; the code is null after a signal. */
  onExit(receive: (code: number | null) => void): void;
  /** Ends the child at once, whatever it is doing. */
  kill(): void;
}

/** Starts a helper process. */
export type StartChild = () => ChildChannel;

/** What a plain Node child is started with. */
export interface NodeChildOptions {
  /** Absolute path of its entry. */
  readonly entry: string;
  readonly args?: readonly string[];
  /** Cap of its JavaScript heap, MiB. */
  readonly maxHeapMib?: number;
}

/**
 * A plain Node child process as a channel.
 *
 * @param options - Entry and limits.
 */
export function startNodeChild(options: NodeChildOptions): ChildChannel {
  const child = fork(options.entry, options.args ?? [], {
    serialization: 'advanced',
    execArgv: options.maxHeapMib === undefined ? [] : [`--max-old-space-size=${options.maxHeapMib}`],
    // What a child has to say comes as a message; a native crash's own dump would stand before the error's first line.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  // A send to a child that has just ended fails here; its end is told by 'exit' in any case.
  child.on('error', () => undefined);
  return {
    send(message, ports = []) {
      if (ports.length > 0) throw new Error('a plain Node child takes no message ports');
      if (child.connected) child.send(message as object, () => undefined);
    },
    onMessage: (receive) => void child.on('message', receive),
    onExit: (receive) => void child.on('exit', receive),
    kill: () => void child.kill('SIGKILL'),
  };
}
