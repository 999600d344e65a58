/** The window without anyone to look at it: what `npm start` does where there is no display; and the proof that it is offline. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APP, electronStart, makeFolder } from './launch-app';
import { makeDropFolder, type DropFolder } from './models';

const RUN_LIMIT_MS = 90_000;

interface Ended {
  readonly code: number | string | null;
  readonly out: string;
  readonly err: string;
}

let files: DropFolder;
let folder: string;

/** Runs the program to its end; `before` is a command that starts it. */
async function runHeadless(output: string, args: readonly string[], before: readonly string[] = []): Promise<Ended> {
  const { executable, switches, env } = await electronStart();
  const profile = makeFolder('profile');
  const words = [
    ...before,
    executable,
    ...switches,
    `--user-data-dir=${profile}`,
    APP,
    '--headless-run',
    '--out-dir',
    output,
    ...args,
  ];
  const ended = await new Promise<Ended>((resolve) => {
    execFile(words[0]!, words.slice(1), { env, timeout: RUN_LIMIT_MS, maxBuffer: 1e8 }, (error, out, err) =>
      resolve({ code: error ? (error.code ?? null) : 0, out, err }),
    );
  });
  rmSync(profile, { recursive: true, force: true });
  return ended;
}

/** What the program itself wrote, without Chromium's own lines about the desktop it runs on. */
function ownLines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !/^\[\d+:\d+\/[\d.]+:\w+:/.test(line));
}

beforeAll(() => {
  files = makeDropFolder();
  folder = makeFolder('headless');
});

afterAll(() => {
  rmSync(files.folder, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

describe('a run without a display', () => {
  it('analyses the sample, writes report and screenshot, prints the verdict and the two paths', async () => {
    const output = join(folder, 'deep', 'out');
    const { code, out } = await runHeadless(output, []);
    expect(code).toBe(0);
    const lines = out.trim().split('\n');
    expect(lines[0]).toContain('recent_load: LSTM, 32 units, T 200');
    expect(lines[1]).toMatch(/^h: vanishing\. /);
    expect(lines[2]).toMatch(/^c: vanishing\. /);
    const report = join(output, 'vanishing-lstm.report.html');
    const screenshot = join(output, 'vanishing-lstm.screenshot.png');
    expect(lines.slice(3)).toEqual([`report:     ${report}`, `screenshot: ${screenshot}`]);
    expect(readFileSync(report, 'utf8')).toContain('recent_load');
    const png = readFileSync(screenshot);
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect(png.length).toBeGreaterThan(50_000);
    expect(readdirSync(output).sort()).toEqual(['vanishing-lstm.report.html', 'vanishing-lstm.screenshot.png']);
  });

  it('ends with the error of a file that is no model, and writes nothing', async () => {
    const output = join(folder, 'nothing');
    const { code, out, err } = await runHeadless(output, [files.text]);
    expect(code).toBe(3);
    expect(out).toBe('');
    const [first, second] = ownLines(err);
    expect(first).toMatch(/^tempograd: reader\/unknown-format: .*notes\.keras/);
    expect(second).toMatch(/^ {2}\S/);
    expect(existsSync(output)).toBe(false);
  });
});

const runs = (...words: readonly string[]): boolean => spawnSync(words[0]!, words.slice(1)).status === 0;

// Tools of Linux; where they are missing or not allowed, hardening.test.ts still holds.
const hasTools = runs('unshare', '--map-root-user', '--net', '--', 'true') && runs('strace', '-o', '/dev/null', 'true');

if (hasTools) {
  describe('offline', () => {
    it('works inside a network namespace that has no network at all', async () => {
      const output = join(folder, 'namespace');
      const { code } = await runHeadless(output, [], ['unshare', '--map-root-user', '--net', '--']);
      expect(code).toBe(0);
      expect(existsSync(join(output, 'vanishing-lstm.report.html'))).toBe(true);
    });

    it('sends nothing and connects to nothing but this machine, as the kernel sees it', async () => {
      const output = join(folder, 'trace');
      const log = join(folder, 'trace.log');
      const { code } = await runHeadless(
        output,
        [],
        ['strace', '-f', '-qq', '-e', 'trace=connect,sendto,sendmsg,sendmmsg', '-o', log],
      );
      expect(code).toBe(0);
      const trace = readFileSync(log, 'utf8');
      expect(trace).toContain('sa_family=AF_UNIX');
      const calls = trace.split('\n').filter((line) => /sa_family=AF_INET6?/.test(line));
      // Chromium asks the kernel for a route by a UDP socket that is connected and never written to.
      const probe =
        /connect\(\d+, \{sa_family=AF_INET6?, sin6?_port=htons\((53|443)\).*(8\.8\.8\.8|2001:4860:4860::8888)/;
      const local = /127\.0\.0\.1|::1/;
      expect(calls.filter((line) => !probe.test(line) && !local.test(line))).toEqual([]);
    });
  });
}
