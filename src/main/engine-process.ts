/**
 * Entry of the engine process: connects Electron's ports to the session, and the session to the real work.
 *
 * A rejection that nobody handles ends the process (Electron would only warn), and main starts another: a process in an
 * unknown state must not go on computing.
 */
import '../host/block-network';
import type { MessagePortMain } from 'electron';
import { programVersion } from '../host/paths';
import type { RunItem } from '../shared/run-pieces';
import type { ToEngine } from './engine-messages';
import { EngineSession, type ValuePort } from './engine-session';
import { makeEngineWork } from './engine-work';
import { makeRunStream } from './stream';

const EXIT_AFTER_FAULT = 70;

process.on('unhandledRejection', (reason) => {
  console.error(reason);
  process.exit(EXIT_AFTER_FAULT);
});

const { parentPort } = process;
const stream = makeRunStream();
const session = new EngineSession({
  work: makeEngineWork(programVersion(import.meta.url)),
  stream,
  post: (message) => parentPort.postMessage(message),
});

parentPort.on('message', ({ data, ports }) => {
  const message = data as ToEngine;
  const port = ports[0];
  switch (message.kind) {
    case 'ping':
      return parentPort.postMessage({ kind: 'pong', beat: message.beat });
    case 'run-port':
      return connect(port!);
    case 'call':
      return void session.answer(message.id, message.name, message.input, port ? valuePort(port) : null);
    case 'run':
      return void session.run(message.runId, message.request);
    case 'cancel':
      return session.cancel(message.runId);
    case 'cancel-exports':
      return session.cancelExports();
  }
});

void session.announce();

function connect(port: MessagePortMain): void {
  port.on('message', ({ data }) => stream.grant((data as { credit?: unknown }).credit));
  port.start();
  stream.connect({ post: (item: RunItem) => port.postMessage(item) });
}

function valuePort(port: MessagePortMain): ValuePort {
  return {
    receive: () =>
      new Promise((resolve) => {
        port.once('message', ({ data }) => {
          port.close();
          resolve(data);
        });
        port.start();
      }),
  };
}
