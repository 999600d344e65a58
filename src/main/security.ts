/**
 * What a page may not do, and the offline promise at Chromium's level (layer 1); Node's own sockets are blocked by
 * host/network-guard.ts (layer 2).
 *
 * Every refusal is total: Tempograd needs no permission, no navigation, no second window and no network.
 */
import { app, type Session, type WebContents } from 'electron';
import { APP_ORIGIN } from './protocol';

/** Schemes that a page may load from; all else is cancelled before it starts. */
const LOCAL_SCHEMES = new Set(['app:', 'data:', 'blob:']);

/** A proxy that nobody listens on, for whatever should get past the request filter. */
const DEAD_PROXY = '127.0.0.1:9';

/** Features of Chromium that would talk to a network on their own. */
const SWITCHES: readonly (readonly [string, string?])[] = [
  ['host-resolver-rules', 'MAP * ~NOTFOUND'],
  ['disable-background-networking'],
  ['disable-component-update'],
  ['disable-domain-reliability'],
  ['disable-sync'],
  ['no-pings'],
  ['force-webrtc-ip-handling-policy', 'disable_non_proxied_udp'],
];

/**
 * Sets Chromium's switches and the sandbox; must run before the app is ready.
 *
 * Electron refuses to start at all as root unless `--no-sandbox` stands on its command line, and `enableSandbox` takes
 * that switch away again; so it is called only where the switch was not given.
 */
export function hardenProcess(): void {
  for (const [name, value] of SWITCHES) {
    if (value === undefined) app.commandLine.appendSwitch(name);
    else app.commandLine.appendSwitch(name, value);
  }
  if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox();
  app.on('web-contents-created', (_event, contents) => hardenContents(contents));
}

/**
 * Takes every permission and the network away from a session.
 *
 * @param session - The window's session.
 */
export async function hardenSession(session: Session): Promise<void> {
  session.setPermissionRequestHandler((_contents, _permission, decide) => decide(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
  session.setDisplayMediaRequestHandler((_request, decide) => decide({}));
  session.setBluetoothPairingHandler((_details, decide) => decide({ confirmed: false }));
  session.setSpellCheckerEnabled(false);
  session.on('will-download', (event) => event.preventDefault());
  session.webRequest.onBeforeRequest((details, decide) => decide({ cancel: !isLocal(details.url) }));
  session.enableNetworkEmulation({ offline: true });
  await session.setProxy({ mode: 'fixed_servers', proxyRules: DEAD_PROXY });
}

/**
 * True for a URL that stays on this machine and inside the app.
 *
 * @param url - A URL as Chromium gives it.
 */
export function isLocal(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol } = new URL(url);
  return LOCAL_SCHEMES.has(protocol) || (protocol === 'devtools:' && !app.isPackaged);
}

/**
 * True for the window's own page, the only sender that is heard.
 *
 * @param url - URL of a frame.
 */
export function isOwnPage(url: string): boolean {
  return url === APP_ORIGIN || url.startsWith(`${APP_ORIGIN}/`);
}

/** Forbids navigation, new windows, web views and leaks of local addresses to one web contents. */
function hardenContents(contents: WebContents): void {
  for (const event of ['will-navigate', 'will-frame-navigate', 'will-redirect'] as const) {
    contents.on(event as 'will-navigate', (details) => details.preventDefault());
  }
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
  contents.setWebRTCIPHandlingPolicy('disable_non_proxied_udp');
}
