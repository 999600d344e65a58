/**
 * Makes every way of Node to a network throw: offline layer 2.
 *
 * Node's sockets do not pass through Electron's session, so that its request filter never sees them. Patched is the
 * lowest JavaScript layer (`Socket.prototype.connect`, `dgram`, `dns`), and the convenient ones above it for a clear
 * message at the place of the call. Pipes to child processes are no sockets that connect and keep working.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';

type Patchable = Record<string, unknown>;

const load = createRequire(import.meta.url) as (name: string) => Patchable;

/** Functions of each built-in module that open a connection, listen, or ask a name server. */
const BLOCKED: Readonly<Record<string, readonly string[]>> = {
  'node:net': ['connect', 'createConnection', 'createServer'],
  'node:tls': ['connect', 'createServer'],
  'node:dgram': ['createSocket'],
  'node:http': ['request', 'get', 'createServer'],
  'node:https': ['request', 'get', 'createServer'],
  'node:http2': ['connect', 'createServer', 'createSecureServer'],
};

/** Globals of the web platform that Node has too. */
const BLOCKED_GLOBALS = ['fetch', 'WebSocket', 'EventSource'] as const;

/**
 * Nothing; afterwards every attempt of this process to reach a network throws an `Error` that names the call.
 *
 * @throws Error from each blocked call: reaching for the network is a bug of Tempograd, never an expected failure.
 */
export function blockNetwork(): void {
  for (const [module, names] of Object.entries(BLOCKED)) {
    const target = load(module);
    for (const name of names) block(target, name, `${module}.${name}`);
  }
  const net = load('node:net') as { Socket: { prototype: Patchable }; Server: { prototype: Patchable } };
  block(net.Socket.prototype, 'connect', 'net.Socket.connect');
  block(net.Server.prototype, 'listen', 'net.Server.listen');
  const dgram = load('node:dgram') as { Socket: { prototype: Patchable } };
  for (const name of ['bind', 'connect', 'send']) block(dgram.Socket.prototype, name, `dgram.Socket.${name}`);
  blockNameService();
  for (const name of BLOCKED_GLOBALS) block(globalThis as unknown as Patchable, name, name);
  syncBuiltinESMExports();
}

/** Blocks every look-up of `node:dns`, its promises and its resolvers. */
function blockNameService(): void {
  const dns = load('node:dns') as Patchable & { promises: Patchable; Resolver: { prototype: Patchable } };
  const resolvers = [dns, dns.promises, dns.Resolver.prototype];
  const promised = dns.promises as { Resolver?: { prototype: Patchable } };
  if (promised.Resolver) resolvers.push(promised.Resolver.prototype);
  for (const resolver of resolvers) {
    for (const name of namesOf(resolver)) {
      if (/^(lookup|resolve|reverse)/.test(name)) block(resolver, name, `dns.${name}`);
    }
  }
}

function namesOf(target: Patchable): string[] {
  const inherited = Object.getPrototypeOf(target) as object | null;
  const own = Object.getOwnPropertyNames(target);
  return inherited && inherited !== Object.prototype ? [...own, ...Object.getOwnPropertyNames(inherited)] : own;
}

function block(target: Patchable, name: string, shown: string): void {
  const refuse = (): never => {
    throw new Error(`Tempograd has no network: ${shown} was called`);
  };
  Object.defineProperty(target, name, { value: refuse, configurable: true, enumerable: true, writable: false });
}
