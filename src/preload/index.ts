/**
 * The whole surface that the window gets: exactly `Bridge`, nothing of Electron itself.
 *
 * Runs sandboxed. Callbacks are wrapped so that no Electron event object reaches the page; the run port stays in here
 * and is replaced when the engine process is.
 */
import { contextBridge, ipcRenderer, webUtils } from 'electron';
import {
  NOTICE_CHANNEL,
  PROTOCOL_VERSION,
  REQUEST_CHANNEL,
  RUN_MESSAGE_CHANNEL,
  RUN_PORT_CHANNEL,
} from '../shared/channels';
import type { Bridge, Notice } from '../shared/contract';
import type { RunItem } from '../shared/run-pieces';

/** The part of a message port that is used here; a page's types are not known to this file. */
interface RunPort {
  onmessage: ((message: { readonly data: RunItem }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

const receivers: { notice: (notice: Notice) => void; run: (item: RunItem) => void } = {
  notice: () => undefined,
  run: () => undefined,
};
const waitingNotices: Notice[] = [];
let isListening = false;
let runPort: RunPort | null = null;

ipcRenderer.on(NOTICE_CHANNEL, (_event, notice: Notice) => {
  if (isListening) receivers.notice(notice);
  else waitingNotices.push(notice);
});

ipcRenderer.on(RUN_MESSAGE_CHANNEL, (_event, item: RunItem) => receivers.run(item));

ipcRenderer.on(RUN_PORT_CHANNEL, (event) => {
  runPort?.close();
  runPort = (event.ports[0] as unknown as RunPort | undefined) ?? null;
  if (runPort) runPort.onmessage = ({ data }) => receivers.run(data);
});

const bridge: Bridge = {
  request: (name, input) => ipcRenderer.invoke(REQUEST_CHANNEL, name, input),
  onNotice(receive) {
    receivers.notice = receive;
    isListening = true;
    for (const notice of waitingNotices.splice(0)) receive(notice);
  },
  onRunMessage(receive) {
    receivers.run = receive;
  },
  grantCredit(count) {
    runPort?.postMessage({ credit: count });
  },
  pathOfFile: (file) => webUtils.getPathForFile(file),
  protocolVersion: PROTOCOL_VERSION,
};

contextBridge.exposeInMainWorld('tempograd', bridge);
