/** docs/beyond-one-machine.md: its scripts are those of scripts/examples, and what they tell a shell to do works. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fixtureModel, makeFolder, ROOT, runCli } from './run-cli';

const PAGE = readFileSync(join(ROOT, 'docs/beyond-one-machine.md'), 'utf8');
const EXAMPLES = join(ROOT, 'scripts/examples');
const example = (name: string): string => readFileSync(join(EXAMPLES, name), 'utf8');
const folder = makeFolder();
afterAll(() => folder.remove());

describe('docs/beyond-one-machine.md', () => {
  it.each(readdirSync(EXAMPLES))('has %s as it is', (name) => {
    expect(PAGE).toContain(`\n${example(name).trimEnd()}\n\`\`\``);
    expect(PAGE).toContain(`[scripts/examples/${name}](../scripts/examples/${name})`);
  });
});

/** The same work, small, on the engine that is always there. */
function small(script: string): string {
  const text = script.replaceAll('--steps 8000', '--steps 30').replaceAll('--engine tensorflow', '--engine reference');
  expect(text).not.toBe(script);
  return text;
}

/** Runs a script in a shell that knows `tempograd`; gives its exit code and what it said. */
function inShell(shell: string, script: string, env: Readonly<Record<string, string>>): { code: number; err: string } {
  const bin = join(folder.path, 'bin');
  mkdirSync(bin, { recursive: true });
  const command = join(bin, 'tempograd');
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'bin/tempograd.mjs')}" "$@"\n`);
  chmodSync(command, 0o755);
  const path = `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
  const ended = spawnSync(shell, ['-c', script], { env: { ...process.env, ...env, PATH: path }, encoding: 'utf8' });
  return { code: ended.status ?? -1, err: ended.stderr };
}

// The examples are for clusters, which run Linux.
describe.runIf(process.platform === 'linux')('the example', () => {
  const model = fixtureModel('keras3-lstm');
  const whole = join(folder.path, 'whole.npz');
  const wholeRun = async (): Promise<Buffer> => {
    const options = ['--mode', 'final,pairs', '--steps', '30', '--seed', '0', '--engine', 'reference'];
    const { code } = await runCli(['analyze', model, ...options, '--max-memory', '12000000000', '--out', whole]);
    expect(code).toBe(0);
    return readFileSync(whole);
  };

  it('for Slurm computes its parts, leaves those that are there, and puts them together', async () => {
    const env = { RUN: join(folder.path, 'slurm'), MODEL: model, SLURM_ARRAY_TASK_COUNT: '3' };
    for (const task of ['3', '1', '2', '2']) {
      const { code, err } = inShell('bash', small(example('slurm-parts.sh')), { ...env, SLURM_ARRAY_TASK_ID: task });
      expect({ code, err }).toEqual({ code: 0, err: '' });
    }
    expect(inShell('bash', example('slurm-merge.sh'), env)).toEqual({ code: 0, err: '' });
    expect(readFileSync(join(env.RUN, 'run.npz')).equals(await wholeRun())).toBe(true);
  }, 60_000);

  it('for Kubernetes computes one part for each index', async () => {
    const data = join(folder.path, 'kubernetes');
    mkdirSync(data);
    const [, indented] = /args:\n {12}- \|\n((?: {14}.*\n)+)/.exec(example('kubernetes-parts.yaml'))!;
    const script = small(indented!.replace(/^ {14}/gm, ''))
      .replaceAll('/16"', '/3"')
      .replaceAll('/data/model.keras', `"${model}"`)
      .replaceAll('/data', data);
    for (const index of ['0', '1', '2']) {
      const { code, err } = inShell('sh', `set -eu\n${script}`, { JOB_COMPLETION_INDEX: index });
      expect({ code, err }).toEqual({ code: 0, err: '' });
    }
    const parts = ['0', '1', '2'].map((index) => join(data, 'parts', `${index}.npz`));
    const { code } = await runCli(['merge', ...parts, '--out', join(data, 'run.npz')]);
    expect(code).toBe(0);
    expect(readFileSync(join(data, 'run.npz')).equals(await wholeRun())).toBe(true);
  }, 60_000);
});
