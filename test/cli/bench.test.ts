import { describe, expect, it } from 'vitest';
import { benchCommand } from '../../src/cli/bench/bench-command';
import { BENCH_CASES, type BenchCase } from '../../src/cli/bench/cases';
import { runCase } from '../../src/cli/bench/run-case';
import { HAS_NATIVE } from '../engine/all-ops';

const never = new AbortController().signal;
const target = { ratio: null, fillRatio: null, peakBytes: null, seconds: null };
const small: BenchCase = {
  id: 'S',
  what: 'small',
  engine: 'tensorflow',
  kind: 'LSTM',
  modes: ['diagonal', 'final'],
  ...{ steps: 60, units: 48, inputDim: 8, batch: 2, repeats: 1, isCold: false },
  target,
};

function collect(): { readonly lines: string[]; readonly output: { out(text: string): void } } {
  const lines: string[] = [];
  return { lines, output: { out: (text) => void lines.push(text) } };
}

describe('bench', () => {
  it.runIf(HAS_NATIVE)('holds all pairs against pushing every source, and their last row against final', async () => {
    const result = await runCase({ ...small, id: 'P', modes: ['pairs'], batch: 1 }, never);
    expect(result.error['pairs']?.max).toBeLessThan(1e-3);
    expect(result.error['pairs']?.samples).toBe(2 * small.steps);
    expect(result.usefulFlop).toBe((2 * 96 * 48 * 8 * 60 * 59) / 2);
    expect(result.ratio?.median).toBeGreaterThan(0);
  });

  it('holds every release to the ratios of the issue', () => {
    const byId = new Map(BENCH_CASES.map((one) => [one.id, one]));
    expect(byId.get('F2000')).toMatchObject({ steps: 2000, units: 256, inputDim: 64, target: { ratio: 0.45 } });
    expect(byId.get('D8')).toMatchObject({ steps: 1000, batch: 8, target: { peakBytes: 600e6 } });
    expect(byId.get('C1')).toMatchObject({ engine: 'reference', target: { seconds: 0.015 } });
  });

  it('measures ratio, error, memory and the first result of a case', async () => {
    const result = await runCase(small, never);
    const [run] = result.runs;
    expect(run.sgemm).toBeGreaterThan(1e9);
    expect(result.ratio?.median).toBeGreaterThan(0);
    expect(result.ratio?.median).toBeLessThan(1);
    expect(result.fillRatio).toBeGreaterThan(0);
    expect(result.usefulFlop).toBe(60 * 2 * (4 * 96 * 48 * 56 + 8 * 48 * 48 + 8 * 48 * 8));
    expect(result.error.diagonal.max).toBeLessThan(1e-5);
    expect(result.error.final.max).toBeLessThan(1e-5);
    expect(result.error.final.samples).toBe(25 * 8 * 2);
    expect(run.firstChunkSeconds).toBeLessThanOrEqual(run.seconds);
  });

  it('gives a missed target as missed', async () => {
    const result = await runCase({ ...small, engine: 'reference', target: { ...target, seconds: 0 } }, never);
    expect(result.isMet).toBe(false);
    expect(result.ratio).toBeNull();
  });

  it('prints the toy case as text and as JSON', async () => {
    const text = collect();
    expect(await benchCommand(['C1'], false, text.output, never)).toBe(0);
    expect(text.lines.join('')).toMatch(/^C1 {2}toy LSTM[\s\S]*time[\s\S]*error[\s\S]*(met|missed)\n$/);
    const json = collect();
    await benchCommand(['c1'], true, json.output, never);
    const parsed = JSON.parse(json.lines.join('')) as { schema: number; cases: { id: string; seconds: number }[] };
    expect(parsed.schema).toBe(1);
    expect(parsed.cases.map(({ id }) => id)).toEqual(['C1']);
    expect(parsed.cases[0].seconds).toBeGreaterThan(0);
  });

  it('names the cases when asked for one that does not exist', async () => {
    await expect(benchCommand(['C99'], false, collect().output, never)).rejects.toMatchObject({
      code: 'usage/bad-option',
      remedy: expect.stringContaining('F2000') as string,
    });
  });

  it('stops when it is aborted', async () => {
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    await expect(runCase(small, controller.signal)).rejects.toThrow('enough');
  });
});
