/**
 * The built command as a user runs it: the launcher in a child process, its two streams and its exit code.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { npyHeader, type NpyType } from '../../src/export/npy-header';

/** Root of the checkout. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const LAUNCHER = join(ROOT, 'bin', 'tempograd.mjs');
const LIMIT_MS = 60_000;

/** What a command left behind. */
export interface Ended {
  /** null after a signal. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Surroundings of a command. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A command that is running. */
export interface RunningCommand {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Starts `tempograd ARGS`. */
export function startCli(args: readonly string[], { cwd = ROOT, env = {} }: RunOptions = {}): RunningCommand {
  if (!existsSync(join(ROOT, 'out/main/cli.js'))) throw new Error('the program is not built: npm run build');
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() });
    });
  });
  return { process: child, ended };
}

/** Runs `tempograd ARGS` to its end. */
export function runCli(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return startCli(args, options).ended;
}

/** Results of tasks, so many at a time, in the order of the tasks. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>, width = 3): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const lanes = Array.from({ length: width }, async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]!);
    }
  });
  await Promise.all(lanes);
  return results;
}

/** What a failed command prints, taken apart; fails where the form is not that of docs/cli.md. */
export function readFailure(err: string): { code: string; message: string; remedy: string } {
  const [first = '', second = '', ...rest] = err.split('\n');
  expect(first).toMatch(/^tempograd: [a-z-]+\/[a-z-]+: \S/);
  expect(second).toMatch(/^ {2}\S/);
  expect(rest).toEqual(['']);
  const [, code, message] = /^tempograd: (\S+): (.*)$/.exec(first)!;
  return { code: code!, message: message!, remedy: second.slice(2) };
}

/** A fresh folder; removed by the function that comes with it. */
export function makeFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'tempograd-cli-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Everything in a folder, hidden files too, sorted. */
export function listFolder(path: string): string[] {
  return readdirSync(path, { recursive: true }).map(String).sort();
}

/** Writes an array as `.npy`. */
export function writeNpy(path: string, type: NpyType, shape: readonly number[], values: readonly number[]): void {
  const make = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array }[type];
  const data = make.from(values);
  writeFileSync(path, Buffer.concat([npyHeader(type, shape), new Uint8Array(data.buffer)]));
}

/** A model among the Keras fixtures. */
export function fixtureModel(name: string, file = 'model.keras'): string {
  return join(ROOT, 'test/fixtures/keras', name, file);
}

/** The arrays that a fixture's model was run on, and what came out. */
export function fixtureArrays(name: string): string {
  return join(ROOT, 'test/fixtures/keras', name, 'expected.npz');
}
