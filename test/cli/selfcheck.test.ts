/** `tempograd selfcheck` and `tempograd doctor` on this machine. */
import { beforeAll, describe, expect, it } from 'vitest';
import { KNOWN_RUNS } from '../../src/core/known-runs';
import { KNOWN_VALUES } from '../../src/core/known-values';
import { inParallel, runCli, type Ended } from './run-cli';

const results = new Map<string, Ended>();
beforeAll(async () => {
  const commands = ['selfcheck', 'selfcheck --json', 'doctor', 'doctor --json'];
  await inParallel(commands, async (words) => results.set(words, await runCli(words.split(' '))), 2);
}, 120_000);

interface Row {
  readonly id: string;
  readonly engine: string;
  readonly expected: number | string;
  readonly got: number | string;
  readonly tolerance: number;
  readonly passed: boolean;
}

interface Findings {
  readonly schema: number;
  readonly passed: number;
  readonly failed: number;
  readonly missing: readonly { readonly engine: string; readonly why: string }[];
  readonly rows: readonly Row[];
}

describe('selfcheck', () => {
  it('has every known value, and every known run on every engine present', () => {
    const { code, out, err } = results.get('selfcheck --json')!;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { schema, passed, failed, missing, rows } = JSON.parse(out) as Findings;
    expect({ schema, failed, missing }).toEqual({ schema: 1, failed: 0, missing: [] });
    const engines = ['tensorflow', 'wasm', 'reference'];
    const expected = [
      ...KNOWN_VALUES.map(({ id }) => `core ${id}`),
      ...engines.flatMap((engine) => KNOWN_RUNS.map(({ id }) => `${engine} ${id}`)),
    ];
    expect(rows.map(({ engine, id }) => `${engine} ${id}`)).toEqual(expected);
    expect(passed).toBe(rows.length);
    for (const { id, expected: want, got, tolerance } of rows) {
      if (typeof want === 'string') expect(got, id).toBe(want);
      else expect(Math.abs((got as number) - want), id).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(want)));
    }
  });

  it('prints one aligned line a value and the sum', () => {
    const { code, out, err } = results.get('selfcheck')!;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const lines = out.trimEnd().split('\n');
    const { rows } = JSON.parse(results.get('selfcheck --json')!.out) as Findings;
    expect(lines.filter((line) => line.startsWith('ok  '))).toHaveLength(rows.length);
    expect(lines.at(-1)).toBe(`all ${rows.length} as expected`);
  });
});

describe('doctor', () => {
  it('finds every engine of this machine usable, and the native one in use', () => {
    const { code, out, err } = results.get('doctor --json')!;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { engine, engines, defaults, missing } = JSON.parse(out) as Record<string, unknown>;
    expect(engine).toMatchObject({ name: 'tensorflow' });
    expect((engines as { name: string; usable: boolean }[]).map(({ name, usable }) => [name, usable])).toEqual([
      ['tensorflow', true],
      ['wasm', true],
      ['reference', true],
    ]);
    expect(defaults).toMatchObject({ steps: 200, batch: 1, seed: 0, maxSeconds: null });
    expect((defaults as { maxMemoryBytes: number }).maxMemoryBytes).toBeGreaterThan(1e8);
    expect(missing).toEqual([]);
  });

  it('says the same in words', () => {
    const { code, out, err } = results.get('doctor')!;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^Tempograd \d+\.\d+\.\d+ on \S+, \d+ cores, /);
    expect(out).toMatch(/^Engine for large work: tensorflow \(/m);
    expect(out).toMatch(/^ {2}tensorflow +works +TensorFlow \d/m);
    expect(out).toMatch(/^Defaults of analyze: --steps 200 --batch 1 --seed 0, no --max-seconds, --max-memory \d+/m);
  });
});
