/**
 * The packed app, started as a user of it would: outside of the checkout, with the native engine that it carries.
 */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, electronStart, makeFolder } from './launch-app';

/** A fuse is one character in the binary: '0' or '1'. */
const DISABLED = '0'.charCodeAt(0);
const ENABLED = '1'.charCodeAt(0);
const PACKING_LIMIT_MS = 400_000;
const RUN_LIMIT_MS = 120_000;

let app: string;
let folder: string;

/** Packs the app where it is not packed from these sources yet, and hands back its folder. */
function packApp(): string {
  const packed = spawnSync(process.execPath, [join(ROOT, 'scripts/dist.mjs')], {
    encoding: 'utf8',
    timeout: PACKING_LIMIT_MS,
  });
  expect(packed.status, `${packed.stdout}${packed.stderr}`).toBe(0);
  const path = /^dist: (?:up to date: )?(\S+linux-unpacked)/m.exec(packed.stdout)?.[1];
  if (path === undefined) throw new Error(`no folder named in:\n${packed.stdout}`);
  return path;
}

/** Runs the packed app without anyone to look at it. */
async function runPacked(env: Record<string, string>, ...args: string[]): Promise<SpawnSyncReturns<string>> {
  const start = await electronStart();
  const switches = [...start.switches, `--user-data-dir=${join(folder, 'profile')}`];
  return spawnSync(join(app, 'tempograd'), [...switches, ...args], {
    cwd: folder,
    env: { ...start.env, ...env },
    encoding: 'utf8',
    timeout: RUN_LIMIT_MS,
  });
}

describe.runIf(process.platform === 'linux')('the packed app', () => {
  beforeAll(() => {
    app = packApp();
    folder = makeFolder('dist');
  }, PACKING_LIMIT_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('carries the stripped native engine outside of its archive, and the licences of TensorFlow', () => {
    const native = join(app, 'resources/app.asar.unpacked/node_modules/@tensorflow/tfjs-node');
    expect(statSync(join(native, 'deps/lib/libtensorflow_cc.so.2')).size).toBeLessThan(500e6);
    expect(existsSync(join(native, 'deps/lib/libtensorflow_framework.so.2'))).toBe(true);
    expect(existsSync(join(native, 'lib/napi-v10/tfjs_binding.node'))).toBe(true);
    expect(readdirSync(join(app, 'resources/licences')).sort()).toEqual([
      'TENSORFLOW-LICENSE',
      'TENSORFLOW-THIRD_PARTY_NOTICES.txt',
    ]);
  });

  it('is marked as local where Electron is not the official binary', () => {
    const repacked = existsSync(join(app, 'RE-PACKED.txt'));
    expect(existsSync(join(app, 'LOCAL-BUILD.txt'))).toBe(repacked);
    expect(app.includes('/dist/local/')).toBe(repacked);
  });

  it('has its fuses set', async () => {
    const wire = await getCurrentFuseWire(join(app, 'tempograd'));
    const off = [
      FuseV1Options.RunAsNode,
      FuseV1Options.EnableNodeOptionsEnvironmentVariable,
      FuseV1Options.EnableNodeCliInspectArguments,
      FuseV1Options.GrantFileProtocolExtraPrivileges,
    ];
    for (const fuse of off) expect(wire[fuse], FuseV1Options[fuse]).toBe(DISABLED);
    for (const fuse of [FuseV1Options.EnableCookieEncryption, FuseV1Options.OnlyLoadAppFromAsar]) {
      expect(wire[fuse], FuseV1Options[fuse]).toBe(ENABLED);
    }
  });

  it('analyses the bundled sample natively, and leaves report and screenshot', { timeout: RUN_LIMIT_MS }, async () => {
    const output = join(folder, 'out');
    const { status, stdout, stderr } = await runPacked({}, '--headless-run', '--out-dir', output);
    expect(status, `${stdout}${stderr}`).toBe(0);
    expect(stdout).toMatch(/engine tensorflow/);
    expect(stdout).toMatch(/^h: (vanishing|carried|exploding|undetermined)\. /m);
    const files = readdirSync(output);
    expect(files.some((name) => name.endsWith('.report.html'))).toBe(true);
    const screenshot = files.find((name) => name.endsWith('.screenshot.png'))!;
    expect(readFileSync(join(output, screenshot)).subarray(1, 4).toString()).toBe('PNG');
  });

  it('cannot be used as a bare Node, nor made to load code', { timeout: RUN_LIMIT_MS }, async () => {
    const trace = join(folder, 'trace.txt');
    const intruder = join(folder, 'intruder.cjs');
    writeFileSync(intruder, `require('node:fs').writeFileSync(${JSON.stringify(trace)}, 'ran')`);
    mkdirSync(join(folder, 'none'));
    const env = { ELECTRON_RUN_AS_NODE: '1', NODE_OPTIONS: `--require=${intruder}` };
    const { status, stderr } = await runPacked(env, '--headless-run', '--out-dir', join(folder, 'none'), intruder);
    expect(existsSync(trace)).toBe(false);
    expect(status).toBe(3);
    expect(stderr).toMatch(/tempograd: reader\/unknown-format: /);
  });
});
