import { execFile } from 'node:child_process';
import dgram from 'node:dgram';
import dns, { lookup } from 'node:dns';
import http, { get } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { connect, createConnection } from 'node:net';
import tls from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { blockNetwork } from '../../src/host/network-guard';

const ATTEMPTS: readonly (readonly [string, () => unknown])[] = [
  ['net.connect', () => net.connect(80, '127.0.0.1')],
  ['net.connect, imported by name', () => connect(80, '127.0.0.1')],
  ['net.createConnection, imported by name', () => createConnection({ port: 80 })],
  ['a socket of its own', () => new net.Socket().connect(80, '127.0.0.1')],
  ['a Unix socket', () => new net.Socket().connect('/tmp/none')],
  ['net.createServer', () => net.createServer()],
  ['a server of its own', () => new net.Server().listen(0)],
  ['tls.connect', () => tls.connect(443, '127.0.0.1')],
  ['dgram.createSocket', () => dgram.createSocket('udp4')],
  ['a UDP socket of its own', () => Reflect.apply(dgram.Socket.prototype.send, null, ['x', 53, '127.0.0.1'])],
  ['dns.lookup', () => dns.lookup('localhost', () => undefined)],
  ['dns.lookup, imported by name', () => lookup('localhost', () => undefined)],
  ['dns.promises.resolve4', () => dns.promises.resolve4('localhost')],
  ['a resolver of its own', () => new dns.Resolver().resolve4('localhost', () => undefined)],
  ['a promising resolver of its own', () => new dns.promises.Resolver().resolve4('localhost')],
  ['http.request', () => http.request('http://127.0.0.1')],
  ['http.get, imported by name', () => get('http://127.0.0.1')],
  ['https.get', () => https.get('https://127.0.0.1')],
  ['http2.connect', () => http2.connect('https://127.0.0.1')],
  ['fetch', () => fetch('http://127.0.0.1')],
];

describe('blockNetwork', () => {
  beforeAll(() => blockNetwork());

  it.each(ATTEMPTS)('refuses %s', (_name, attempt) => {
    expect(attempt).toThrow(/Tempograd has no network/);
  });

  it('leaves child processes and their pipes alone', async () => {
    const output = await new Promise<string>((resolve, reject) => {
      execFile(process.execPath, ['-e', 'process.stdout.write("alive")'], (error, stdout) =>
        error ? reject(error) : resolve(stdout),
      );
    });
    expect(output).toBe('alive');
  });
});
