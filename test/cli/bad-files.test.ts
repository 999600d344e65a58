/**
 * Every bad and odd file of test/fixtures/bad on the command line: its code, its two lines, its exit code, nothing written.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/core/errors';
import { oneLine } from '../../src/cli/terminal-text';
import type { ModelDescription, Summary } from '../../src/core/summary';
import { inParallel, listFolder, makeFolder, readFailure, ROOT, runCli, type Ended } from './run-cli';

const FIXTURES = join(ROOT, 'test/fixtures');

/** One line of expected.json. */
interface BadFile {
  readonly kind: 'model' | 'input';
  readonly code: string | null;
  readonly also?: readonly string[];
  readonly note: string;
  readonly analyze?: string;
  readonly also_analyze?: readonly string[];
  readonly layers?: readonly string[];
  readonly unsupported?: readonly string[];
  readonly warning?: string;
  readonly verdict?: string;
  readonly model?: string;
  readonly batch?: number;
  readonly steps?: number;
}

const TABLE = JSON.parse(readFileSync(join(FIXTURES, 'bad/expected.json'), 'utf8')) as Record<string, BadFile>;
const FILES = Object.entries(TABLE);
const path = (name: string): string => join(FIXTURES, 'bad', name);

const results = new Map<string, Ended>();
const folder = makeFolder();

beforeAll(async () => {
  const commands = FILES.flatMap(([name, { kind, model, analyze, verdict }]) => {
    const out = ['--out', join(folder.path, `${name}.npz`), '--steps', '12'];
    if (kind === 'input') {
      const args = ['--input', path(name), '--report', join(folder.path, `${name}.html`), '--json'];
      return [{ key: name, args: ['analyze', join(FIXTURES, model!), ...args] }];
    }
    const inspected = { key: name, args: ['inspect', path(name), '--json'] };
    const isAnalysed = analyze !== undefined || verdict !== undefined;
    return isAnalysed ? [inspected, { key: `analyze ${name}`, args: ['analyze', path(name), ...out] }] : [inspected];
  });
  await inParallel(commands, async ({ key, args }) => results.set(key, await runCli(args)));
}, 240_000);
afterAll(() => folder.remove());

/** Checks both forms of a failure and gives its code. */
function failureOf({ code, out, err }: Ended, isJson: boolean): string {
  expect(code).toBe(3);
  const failure = readFailure(err);
  if (isJson) {
    const { schema, error } = JSON.parse(out) as { schema: number; error: Record<string, string> };
    const shown = { code: error['code'], message: oneLine(error['message']!), remedy: oneLine(error['remedy']!) };
    expect({ schema, ...shown }).toEqual({ schema: 1, ...failure });
  } else expect(out).toBe('');
  return failure.code;
}

const accepted = ({ code, also = [] }: BadFile): string[] => [code!, ...also];

describe('files that fail', () => {
  const failing = FILES.filter(([, { code }]) => code !== null);
  it.each(failing)('%s', (name, file) => {
    const code = failureOf(results.get(name)!, true);
    expect(ERROR_CODES).toContain(code);
    expect(accepted(file)).toContain(code);
  });

  it('leave nothing behind', () => {
    const kept = FILES.filter(([, { verdict }]) => verdict !== undefined).map(([name]) => `${name}.npz`);
    const reports = FILES.filter(([, { kind, code }]) => kind === 'input' && code === null).map(
      ([name]) => `${name}.html`,
    );
    expect(listFolder(folder.path)).toEqual([...kept, ...reports].sort());
  });
});

describe('models that open', () => {
  const opening = FILES.filter(([, { kind, code }]) => kind === 'model' && code === null);
  it.each(opening)('%s', (name, file) => {
    const result = results.get(name)!;
    if (result.code !== 0 && file.also) {
      expect(file.also).toContain(failureOf(result, true));
      return;
    }
    expect(result.err).toBe('');
    expect(result.code).toBe(0);
    const { layers } = JSON.parse(result.out) as ModelDescription;
    const usable = layers.filter(({ kind, supported }) => supported && kind !== null).map((layer) => layer.name);
    if (file.layers) expect(usable).toEqual(file.layers);
    for (const layer of file.unsupported ?? []) {
      const found = layers.find((entry) => entry.name === layer);
      expect(found).toMatchObject({ supported: false, reason: expect.stringMatching(/\S/) as string });
    }
  });

  const refused = FILES.filter(([, { analyze }]) => analyze !== undefined);
  it.each(refused)('%s cannot be analysed', (name, file) => {
    const code = failureOf(results.get(`analyze ${name}`)!, false);
    expect([file.analyze!, ...(file.also_analyze ?? [])]).toContain(code);
  });

  const broken = FILES.filter(([, { verdict }]) => verdict !== undefined);
  it.each(broken)('%s is analysed, says once what is not finite, and decides nothing', (name) => {
    const { code, out, err } = results.get(`analyze ${name}`)!;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^ {2}h {2}undetermined /m);
    const warnings = out.split('\n').filter((line) => line.includes('numerics/not-finite'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/tensor \S+ holds \d+ values of \d+ that are NaN or infinite/);
  });
});

describe('odd inputs that are taken', () => {
  const taken = FILES.filter(([, { kind, code }]) => kind === 'input' && code === null);
  it.each(taken)('%s', (name, { batch, steps }) => {
    const { code, out, err } = results.get(name)!;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect((JSON.parse(out) as Summary).run).toMatchObject({ batch, steps, input: path(name) });
  });
});
