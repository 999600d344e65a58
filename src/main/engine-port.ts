/**
 * Connects the window's preload and the engine process by a port, anew for every page and every process.
 */
import { MessageChannelMain, type WebContents } from 'electron';
import { RUN_PORT_CHANNEL } from '../shared/channels';
import type { EngineSupervisor } from './engine-supervisor';

/**
 * Gives a new run port to both sides; the one before falls silent.
 *
 * @param contents - The window's page.
 * @param supervisor - The engine process.
 */
export function connectRunPort(contents: WebContents, supervisor: EngineSupervisor): void {
  if (contents.isDestroyed() || contents.isCrashed()) return;
  const { port1, port2 } = new MessageChannelMain();
  contents.postMessage(RUN_PORT_CHANNEL, null, [port1]);
  supervisor.send({ kind: 'run-port' }, [port2]);
}
