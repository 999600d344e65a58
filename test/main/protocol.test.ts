import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

vi.mock('electron', () => ({ protocol: {} }));

const { CONTENT_SECURITY_POLICY, answer } = await import('../../src/main/protocol');

let folder: string;
let bundle: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tempograd-protocol-'));
  bundle = join(folder, 'renderer');
  mkdirSync(join(bundle, 'assets'), { recursive: true });
  writeFileSync(join(bundle, 'index.html'), '<p>page');
  writeFileSync(join(bundle, 'assets', 'app.js'), 'code');
  writeFileSync(join(bundle, 'assets', 'secret.pem'), 'secret');
  writeFileSync(join(folder, 'outside.html'), 'outside');
  mkdirSync(join(folder, 'renderer-twin'));
  writeFileSync(join(folder, 'renderer-twin', 'index.html'), 'twin');
  symlinkSync(join(folder, 'outside.html'), join(folder, 'link.html'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const statusOf = async (url: string, method = 'GET'): Promise<number> => (await answer(url, method, bundle)).status;

describe('answer', () => {
  it.each([
    ['app://bundle/', '<p>page', 'text/html; charset=utf-8'],
    ['app://bundle/index.html', '<p>page', 'text/html; charset=utf-8'],
    ['app://bundle/index.html?x=1#y', '<p>page', 'text/html; charset=utf-8'],
    ['app://bundle/assets/app.js', 'code', 'text/javascript; charset=utf-8'],
    ['app://bundle/assets/./app.js', 'code', 'text/javascript; charset=utf-8'],
  ])('serves %s', async (url, body, type) => {
    const response = await answer(url, 'GET', bundle);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(body);
    expect(response.headers.get('content-type')).toBe(type);
  });

  it.each([
    'app://bundle/../outside.html',
    'app://bundle/assets/../../outside.html',
    'app://bundle/%2e%2e/outside.html',
    'app://bundle/%2E%2E%2Foutside.html',
    'app://bundle/..%2foutside.html',
    'app://bundle/..%5coutside.html',
    'app://bundle/%5c..%5coutside.html',
    'app://bundle/..\\outside.html',
    'app://bundle/%252e%252e/outside.html',
    'app://bundle/index.html%00.js',
    'app://bundle/%00',
    'app://bundle/%zz',
    'app://bundle//etc/passwd',
    'app://bundle/C:/Windows/win.ini',
    'app://bundle/../renderer-twin/index.html',
    'app://bundle/index.html/',
    'app://bundle/assets',
    'app://bundle/assets/secret.pem',
    'app://other/index.html',
    'app://bundle.evil/index.html',
    'app://user@bundle/index.html',
    'app://bundle:81/index.html',
    'file:///etc/passwd',
    'http://bundle/index.html',
    'nonsense',
    '',
  ])('gives nothing for %j', async (url) => {
    const response = await answer(url, 'GET', bundle);
    expect([403, 404]).toContain(response.status);
    expect(await response.text()).toBe('');
  });

  it('gives 404 for a file that is not there, 405 for anything but reading', async () => {
    expect(await statusOf('app://bundle/none.js')).toBe(404);
    expect(await statusOf('app://bundle/index.html', 'HEAD')).toBe(200);
    for (const method of ['POST', 'PUT', 'DELETE']) expect(await statusOf('app://bundle/index.html', method)).toBe(405);
  });

  it('puts the policy on every answer, good or bad', async () => {
    for (const url of ['app://bundle/', 'app://bundle/none.js', 'app://other/']) {
      const { headers } = await answer(url, 'GET', bundle);
      expect(headers.get('content-security-policy')).toBe(CONTENT_SECURITY_POLICY);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
    }
  });
});

describe('the policy', () => {
  it('allows the page its own files and nothing else', () => {
    expect(CONTENT_SECURITY_POLICY.split('; ')).toEqual([
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
    ]);
    expect(CONTENT_SECURITY_POLICY).not.toMatch(/unsafe|\*|https?:/);
  });
});
