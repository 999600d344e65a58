/**
 * `app://bundle/...`: the one origin of the window, and the only files it can load.
 *
 * The path of a URL is resolved inside the bundle folder or refused; the table of types is fixed; every answer carries
 * the content security policy as a header.
 */
import { readFile } from 'node:fs/promises';
import { extname, join, resolve, sep } from 'node:path';
import { protocol, type Session } from 'electron';

/** Scheme of the window's pages. */
export const APP_SCHEME = 'app';

/** Origin of the window's pages. */
export const APP_ORIGIN = `${APP_SCHEME}://bundle`;

/** Policy of every page: its own scripts, styles, fonts and pictures, and no connection at all. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'none'",
  "worker-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-src 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

/** Tells Chromium about the scheme; must run before the app is ready. */
export function registerAppScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: APP_SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ]);
}

/**
 * Serves the bundle to a session.
 *
 * @param session - The window's session.
 * @param folder - Absolute path of the built pages.
 */
export function serveBundle(session: Session, folder: string): void {
  session.protocol.handle(APP_SCHEME, (request) => answer(request.url, request.method, folder));
}

/**
 * The file that a URL names, or null when it names none inside the folder.
 *
 * @param url - Any URL, hostile ones included.
 * @param folder - Absolute path of the built pages.
 */
export function bundlePath(url: string, folder: string): string | null {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed?.protocol !== `${APP_SCHEME}:` || parsed.host !== 'bundle') return null;
  if (parsed.username !== '' || parsed.port !== '') return null;
  const path = decoded(parsed.pathname);
  if (path === null || /[\0\\%:]/.test(path) || path.split('/').includes('..')) return null;
  if (path !== '/' && path.endsWith('/')) return null;
  const file = resolve(join(folder, path === '/' ? 'index.html' : path));
  return file.startsWith(folder + sep) ? file : null;
}

function decoded(path: string): string | null {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

/**
 * The response to a request of the window.
 *
 * @param url - What is asked for.
 * @param method - Only GET and HEAD are answered.
 * @param folder - Absolute path of the built pages.
 * @returns 200 with the file, 403 for a path outside the bundle or of an unknown type, 404 for none, 405 otherwise.
 */
export async function answer(url: string, method: string, folder: string): Promise<Response> {
  if (method !== 'GET' && method !== 'HEAD') return refusal(405);
  const path = bundlePath(url, folder);
  const type = path === null ? undefined : TYPES[extname(path).toLowerCase()];
  if (path === null || type === undefined) return refusal(403);
  let body: Uint8Array<ArrayBuffer>;
  try {
    body = new Uint8Array(await readFile(path));
  } catch {
    return refusal(404);
  }
  return new Response(method === 'HEAD' ? null : body, { headers: headersFor(type) });
}

function refusal(status: number): Response {
  return new Response(null, { status, headers: headersFor('text/plain') });
}

function headersFor(type: string): Record<string, string> {
  return {
    'content-type': type,
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'x-content-type-options': 'nosniff',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };
}
