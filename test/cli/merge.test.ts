/** `analyze --shard` and `merge` as commands: the same bytes as one run, and what is refused. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Summary } from '../../src/core/summary';
import { HAS_NATIVE } from '../engine/all-ops';
import { fixtureModel, inParallel, listFolder, makeFolder, readFailure, runCli, type Ended } from './run-cli';

const folder = makeFolder();
const cwd = folder.path;
afterAll(() => folder.remove());

const LSTM = [fixtureModel('keras3-lstm'), '--steps', '30', '--batch', '4'];
const run = (...args: readonly string[]): Promise<Ended> => runCli(args, { cwd });
const bytesOf = (name: string): Buffer => readFileSync(join(cwd, name));

/** What is cut: a name, the options, and the number of parts. */
const CASES = [
  { name: 'all', count: 3, args: [...LSTM, '--engine', 'reference', '--mode', 'diagonal,final,states,pairs,spectrum'] },
  { name: 'pairs', count: 2, args: [...LSTM, '--engine', HAS_NATIVE ? 'tensorflow' : 'wasm', '--mode', 'pairs'] },
  {
    name: 'masked',
    count: 2,
    args: [
      ...[fixtureModel('keras3-mask-embedding-bidirectional'), '--batch', '3'],
      ...['--engine', 'wasm', '--mode', 'final,pairs', '--exact'],
    ],
  },
] as const;

const ended = new Map<string, Ended>();

beforeAll(async () => {
  const commands = CASES.flatMap(({ name, count, args }) => [
    { key: name, words: ['analyze', ...args, '--out', `${name}.npz`, `--json=${name}.json`] },
    ...Array.from({ length: count }, (_, at) => ({
      key: `${name} ${at + 1}`,
      words: ['analyze', ...args, '--shard', `${at + 1}/${count}`, '--out', `${name}-${at + 1}.npz`],
    })),
  ]);
  const other = ['analyze', ...CASES[1].args, '--seed', '1', '--shard', '1/2', '--out', 'other.npz'];
  commands.push({ key: 'other', words: other });
  await inParallel(commands, async ({ key, words }) => {
    ended.set(key, await run(...words));
  });
}, 120_000);

describe('parts', () => {
  it.each(CASES)('of $name make the bytes and the summary of one run, in any order', async ({ name, count }) => {
    const parts = Array.from({ length: count }, (_, at) => `${name}-${count - at}.npz`);
    const { code, out, err } = await run('merge', ...parts, '--out', `${name}-merged.npz`, '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(bytesOf(`${name}-merged.npz`).equals(bytesOf(`${name}.npz`))).toBe(true);
    const whole = JSON.parse(readFileSync(join(cwd, `${name}.json`), 'utf8')) as Summary;
    const merged = JSON.parse(out) as Summary;
    expect(merged.hidden).toEqual(whole.hidden);
    expect(merged.cell).toEqual(whole.cell);
    expect(merged.diagnostics).toEqual(whole.diagnostics);
    expect(merged.spectra).toEqual(whole.spectra);
    expect(merged.run).toEqual({ ...whole.run, seconds: merged.run.seconds, parts: count });
  });

  it('say what they hold, and that they give no verdict', () => {
    const { code, out, err } = ended.get('all 2')!;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(
      /part 2 of 3: sequences 1 to 2 of 4; tiles \d+ to \d+ of 12 of the pairs, forward; computed in/,
    );
    expect(out).toMatch(/no verdict: it rests on all parts/);
    expect(out).toMatch(/written: all-2\.npz/);
  });

  it('are put together with the text of a run where no JSON is asked for', async () => {
    const { code, out } = await run('merge', 'pairs-1.npz', 'pairs-2.npz', '--out', 'text.npz', '--json=text.json');
    expect(code).toBe(0);
    expect(out).toMatch(/^memory {2}LSTM 5 <- 3, forward; 4 × 30 steps/);
    expect(out).toMatch(/written: text\.npz, text\.json/);
    expect((JSON.parse(readFileSync(join(cwd, 'text.json'), 'utf8')) as Summary).run.parts).toBe(2);
  });
});

describe('merge refuses', () => {
  /** The code, and the remedy, of a merge that must leave nothing. */
  async function refused(
    parts: readonly string[],
    out = 'refused.npz',
  ): Promise<{ code: string; message: string; exit: number | null }> {
    const before = listFolder(cwd);
    const { code: exit, err } = await run('merge', ...parts, '--out', out);
    expect(listFolder(cwd)).toEqual(before);
    const { code, message, remedy } = readFailure(err);
    expect(remedy).not.toBe('');
    return { code, message, exit };
  }

  it('parts of different runs, naming what differs', async () => {
    const { code, message, exit } = await refused(['other.npz', 'pairs-2.npz']);
    expect({ code, exit }).toEqual({ code: 'usage/bad-option', exit: 2 });
    expect(message).toMatch(
      /other\.npz and pairs-2\.npz are parts of different runs: input is .* seed 1 in one, .* seed 0 in the other/,
    );
    const models = await refused(['pairs-1.npz', 'masked-2.npz']);
    expect(models.message).toMatch(/different runs: model is [0-9a-f]{64} in one/);
    const engines = await refused(['pairs-1.npz', 'all-2.npz']);
    expect(engines.message).toMatch(/different runs: /);
  });

  it('missing parts, naming them', async () => {
    const { code, message } = await refused(['all-2.npz']);
    expect({ code, message }).toEqual({ code: 'usage/bad-option', message: '2 of 3 parts are missing: 1/3, 3/3' });
  });

  it('a part that is there twice', async () => {
    copyFileSync(join(cwd, 'all-2.npz'), join(cwd, 'copy.npz'));
    const { code, message } = await refused(['all-1.npz', 'all-2.npz', 'copy.npz', 'all-3.npz']);
    expect({ code, message }).toEqual({
      code: 'usage/bad-option',
      message: 'all-2.npz and copy.npz are both part 2 of 3',
    });
  });

  it('files that are no parts', async () => {
    writeFileSync(join(cwd, 'text.txt'), 'no part');
    expect(await refused(['all-1.npz', 'text.txt'])).toMatchObject({ code: 'reader/unknown-format', exit: 3 });
    expect(await refused(['all-1.npz', 'all.npz'])).toMatchObject({ code: 'reader/unknown-format', exit: 3 });
    expect(await refused(['all-1.npz', fixtureModel('keras3-lstm')])).toMatchObject({ code: 'reader/unknown-format' });
    expect(await refused(['all-1.npz', 'none.npz'])).toMatchObject({ code: 'reader/not-readable', exit: 3 });
    expect(await refused(['all-1.npz', '.'])).toMatchObject({ code: 'reader/not-readable', exit: 3 });
  });

  it('damaged parts', async () => {
    const part = bytesOf('all-2.npz');
    writeFileSync(join(cwd, 'short.npz'), part.subarray(0, part.length - 100));
    expect((await refused(['all-1.npz', 'short.npz', 'all-3.npz'])).code).toMatch(/^reader\/(truncated|corrupt)$/);
    const flipped = Buffer.from(part);
    flipped[300] ^= 1;
    writeFileSync(join(cwd, 'flipped.npz'), flipped);
    const { code, message } = await refused(['all-1.npz', 'flipped.npz', 'all-3.npz']);
    expect({ code, names: message.includes('flipped.npz') }).toEqual({ code: 'reader/corrupt', names: true });
  });

  it('an output that is one of the parts, which stays as it was', async () => {
    const before = bytesOf('all-2.npz');
    const { code, exit } = await refused(['all-1.npz', 'all-2.npz', 'all-3.npz'], 'all-2.npz');
    expect({ code, exit }).toEqual({ code: 'usage/bad-option', exit: 2 });
    expect(bytesOf('all-2.npz').equals(before)).toBe(true);
  });

  it('to do without an output or a part', async () => {
    expect(readFailure((await run('merge', 'all-1.npz')).err).code).toBe('usage/bad-option');
    expect(readFailure((await run('merge', '--out', 'x.npz')).err).code).toBe('usage/bad-option');
  });
});

describe('--shard refuses', () => {
  const base = ['analyze', ...LSTM, '--engine', 'reference', '--out', 'x.npz'];
  it.each([
    ['0/2', [], /takes i\/n with i from 1 to n/],
    ['3/2', [], /takes i\/n with i from 1 to n/],
    ['1', [], /takes i\/n with i from 1 to n/],
    ['1/2', ['--csv', 'tables'], /--csv is for a whole run/],
    ['1/2', ['--report', 'x.html'], /--report is for a whole run/],
    ['1/2', ['--fail-on', 'vanishing'], /--fail-on is for a whole run/],
    ['1/2', ['--layer', 'all'], /--shard is for one layer/],
    ['1/2', ['--mode', 'pairs', '--full'], /--full writes blocks of a whole run/],
    ['1/9', [], /cannot be cut into 9 parts: its sequences are computed 1 at a time, in 4 goes/],
  ] as const)('%s with %j', async (shard, more, message) => {
    const { code, err } = await run(...base, '--shard', shard, ...more);
    const failure = readFailure(err);
    expect({ exit: code, code: failure.code }).toEqual({ exit: 2, code: 'usage/bad-option' });
    expect(failure.message).toMatch(message);
    if (shard === '1/9') expect(failure.remedy).toBe('Use --shard i/4 at most.');
  });

  it('to go without a file', async () => {
    const failure = readFailure((await run('analyze', ...LSTM, '--shard', '1/2')).err);
    expect(failure).toMatchObject({
      code: 'usage/bad-option',
      message: '--shard needs --out: a part of a run is a file',
    });
  });
});
