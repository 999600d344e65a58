import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { benchCommand, type BenchOrder } from '../../src/cli/bench/bench-command';
import { summarise, type BenchRun } from '../../src/cli/bench/bench-result';
import { BENCH_CASES, type BenchCase } from '../../src/cli/bench/cases';
import { fitExponent, measureGrowth, writeGrowth } from '../../src/cli/bench/growth';
import { runCase } from '../../src/cli/bench/run-case';
import { usefulFlop } from '../../src/cli/bench/useful-flop';
import { emptyPairsReport } from '../../src/engine/engine';
import { HAS_NATIVE } from '../engine/all-ops';

const never = new AbortController().signal;
const small: BenchCase = {
  ...{ id: 'S', what: 'small', engine: 'tensorflow', kind: 'LSTM', modes: ['diagonal', 'exact final'] },
  ...{ steps: 60, units: 48, inputDim: 8, batch: 2, layers: 0, directions: 0 },
  ...{ repeats: 1, isCold: false, isWritten: false, target: {} },
};
const order: BenchOrder = { ids: [], isJson: false, hasPeers: false, growthFolder: null };

function collect(): { readonly lines: string[]; readonly output: { out(text: string): void } } {
  const lines: string[] = [];
  return { lines, output: { out: (text) => void lines.push(text) } };
}

// Products of the machine itself are measured around each case, which takes its time on a busy one.
describe('bench', { timeout: 120_000 }, () => {
  it.runIf(HAS_NATIVE)('holds sampled pairs against float64', async () => {
    const result = await runCase({ ...small, id: 'P', modes: ['pairs'], batch: 1 }, never);
    const { kind, samples, max, isWithin } = result.error['pairs'];
    expect({ kind, isWithin }).toEqual({ kind: 'log norms', isWithin: true });
    expect(max).toBeGreaterThan(0);
    expect(max).toBeLessThan(1e-3);
    // Eight sources with up to 25 targets, h and c.
    expect(samples).toBeGreaterThan(300);
    expect(result.usefulFlop).toBe((2 * 96 * 48 * 8 * 60 * 59) / 2);
    expect(result.ratio?.median).toBeGreaterThan(0);
    expect(result.ofIdeal).toBeCloseTo(1 / result.ratio!.median, 12);
    expect(result.size.steps).toBe(60);
  });

  it.runIf(HAS_NATIVE).each(['SimpleRNN', 'GRU', 'LSTM'] as const)(
    'holds pairs of states of a %s against float64',
    async (kind) => {
      const result = await runCase({ ...small, kind, modes: ['state pairs'], batch: 1, isWritten: true }, never);
      expect(result.error['state pairs']).toMatchObject({ kind: 'log norms', isWithin: true });
    },
  );

  it.runIf(HAS_NATIVE)('measures exponents', async () => {
    const spectrum = await runCase({ ...small, modes: ['spectrum'], batch: 1, directions: 6 }, never);
    expect(spectrum.error['spectrum']).toMatchObject({ kind: 'exponents', samples: 6, isWithin: true });
  });

  it.runIf(HAS_NATIVE)('measures norms through layers', async () => {
    const stack = { ...small, modes: ['stack pairs'], units: 10, batch: 1, layers: 2 } as const;
    const through = await runCase(stack, never);
    expect(through.error['stack pairs']).toMatchObject({ kind: 'log norms', isWithin: true });
    expect(through.error['stack pairs'].samples).toBeGreaterThan(300);
  });

  it.runIf(HAS_NATIVE)('holds a sketch to its band', async () => {
    const sketched = await runCase({ ...small, modes: ['sketched pairs'], batch: 1, directions: 4 }, never);
    expect(sketched.error['sketched pairs'].shareInBand).toBeGreaterThan(0.5);
    expect(sketched.error['sketched pairs'].max).toBeGreaterThan(1e-3);
  });

  it.runIf(HAS_NATIVE)('counts blocks of a basis that are lost', async () => {
    const result = await runCase({ ...small, modes: ['final'], batch: 1 }, never);
    expect(result.lostBlocks).toBe(0);
    expect(result.error['final'].isWithin).toBe(true);
  });

  it('counts the work of the method', () => {
    const lstm = { kind: 'LSTM', units: 8, inputDim: 2, steps: 10, batch: 1, layers: 0, directions: 3 } as const;
    expect(usefulFlop({ ...lstm, modes: ['spectrum'] })).toBe(10 * (4 * 64 * 3 + 4 * 16 * 9 + 18));
    expect(usefulFlop({ ...lstm, modes: ['sketched pairs'], directions: 1 })).toBe(4 * 64 * 45);
    // "3 x biLSTM = 52 H^2 D T^2 in all"
    expect(usefulFlop({ ...lstm, modes: ['stack pairs'], layers: 3 })).toBe(52 * 64 * 2 * 100);
  });

  it('holds every release to the ratios of the issue', () => {
    const byId = new Map(BENCH_CASES.map((one) => [one.id, one]));
    expect(byId.get('F2000')).toMatchObject({ steps: 2000, units: 256, inputDim: 64, target: { ratio: 0.45 } });
    expect(byId.get('D8')).toMatchObject({ steps: 1000, batch: 8, target: { peakBytes: 600e6 } });
    expect(byId.get('C1')).toMatchObject({ engine: 'reference', target: { seconds: 0.015 } });
    expect(byId.get('C3')).toMatchObject({ modes: ['exact pairs'], target: { ratio: 4, residentBytes: 1.5e9 } });
  });

  it('measures ratio, error, memory and the first result of a case', async () => {
    const result = await runCase(small, never);
    const [run] = result.runs;
    expect(run.sgemm?.before.main).toBeGreaterThan(1e9);
    expect(run.sgemm?.after.square).toBeGreaterThan(1e9);
    expect(result.ratio?.median).toBeGreaterThan(0);
    expect(result.ratio?.median).toBeLessThan(1);
    expect(result.fillRatio).toBeGreaterThan(0);
    expect(result.usefulFlop).toBe(60 * 2 * (4 * 96 * 48 * 56 + 8 * 48 * 48 + 8 * 48 * 8));
    expect(result.error['diagonal'].max).toBeLessThan(1e-5);
    expect(result.error['exact final'].max).toBeLessThan(1e-5);
    expect(result.error['exact final'].samples).toBe(25 * 8 * 2);
    expect(run.firstChunkSeconds).toBeLessThanOrEqual(run.seconds);
    expect(result.residentBytes).toBeGreaterThan(result.peakBytes);
  });

  it('gives a missed target as missed', async () => {
    const result = await runCase({ ...small, engine: 'reference', target: { seconds: 0 } }, never);
    expect(result.isMet).toBe(false);
    expect(result.ratio).toBeNull();
  });

  it('takes the median, leaves void runs out, and compares with another case', () => {
    const run = (seconds: number, isVoid: boolean): BenchRun => ({
      ...{
        seconds,
        firstChunkSeconds: 0,
        sgemm: null,
        drift: null,
        ratio: null,
        peakBytes: 0,
        residentBytes: 1,
        isVoid,
      },
    });
    const measured = {
      ...{ engine: { name: 'tensorflow' as const, version: 'x' }, fill: null, resultBytes: 1, error: {}, lostBlocks: null },
      ...{ ways: emptyPairsReport(), cancelSeconds: null },
    } as const;
    const first = summarise(
      small,
      { ...measured, runs: [run(2, false), run(9, true), run(3, false), run(4, false)] },
      [],
    );
    expect(first.spread).toEqual({ median: 3, min: 2, max: 4 });
    const held = { ...small, target: { timesOf: { id: 'S', factor: 2 } } };
    const runs = [run(5, false)];
    expect(summarise(held, { ...measured, runs }, [first]).isMet).toBe(true);
    expect(summarise(held, { ...measured, runs: [run(7, false)] }, [first]).isMet).toBe(false);
    expect(summarise(held, { ...measured, runs }, []).isMet).toBe(false);
    expect(summarise(small, { ...measured, runs: [run(1, true)] }, []).isVoid).toBe(true);
  });

  it('prints the toy case as text and as JSON', async () => {
    const text = collect();
    expect(await benchCommand({ ...order, ids: ['C1'] }, text.output, never)).toBe(0);
    expect(text.lines.join('')).toMatch(/^C1 {2}toy LSTM[\s\S]*time[\s\S]*error[\s\S]*(met|missed|void)\n$/);
    const json = collect();
    await benchCommand({ ...order, ids: ['c1'], isJson: true }, json.output, never);
    const parsed = JSON.parse(json.lines.join('')) as {
      schema: number;
      machine: { loadBefore: number[] };
      cases: { id: string; seconds: number }[];
    };
    expect(parsed.schema).toBe(1);
    expect(parsed.machine.loadBefore).toHaveLength(3);
    expect(parsed.cases.map(({ id }) => id)).toEqual(['C1']);
    expect(parsed.cases[0].seconds).toBeGreaterThan(0);
  });

  it('names the cases when asked for one that does not exist', async () => {
    await expect(benchCommand({ ...order, ids: ['C99'] }, collect().output, never)).rejects.toMatchObject({
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

describe('growth', () => {
  const timed = (benchCase: BenchCase): Promise<readonly BenchRun[]> => {
    const power = benchCase.modes[0] === 'final' ? 1 : 1.5;
    const seconds = (benchCase.steps / 1000) ** power * (benchCase.units / 256) ** 2;
    const rest = { firstChunkSeconds: 0, sgemm: null, drift: null, ratio: 0.5, peakBytes: 0, residentBytes: 7 };
    return Promise.resolve([{ ...rest, seconds, isVoid: false }]);
  };

  it('fits the exponent of each curve', async () => {
    const { curves } = await measureGrowth(never, () => undefined, { measure: timed });
    const byName = new Map(curves.map((curve) => [`${curve.mode} ${curve.axis}`, curve]));
    expect(byName.get('final T')!.exponent).toBeCloseTo(1, 10);
    expect(byName.get('pairs T')!.exponent).toBeCloseTo(1.5, 10);
    expect(byName.get('pairs H')!.exponent).toBeCloseTo(2, 10);
    expect(byName.get('pairs T')!.points.map(({ value }) => value)).toEqual([250, 500, 1000, 2000, 4000, 8000]);
    expect(byName.get('pairs H')!.points.at(-1)).toMatchObject({ value: 1024, ratio: 0.5, residentBytes: 7 });
  });

  it('leaves out what would not end in time, by name', async () => {
    const { curves } = await measureGrowth(never, () => undefined, { measure: timed, limitSeconds: 10 });
    const pairs = curves.find(({ mode, axis }) => mode === 'pairs' && axis === 'T')!;
    expect(pairs.leftOut).toEqual([4000, 8000]);
    expect(pairs.points).toHaveLength(4);
  });

  it('is written as JSON and as a picture with every point', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tempograd-growth-'));
    try {
      const growth = await measureGrowth(never, () => undefined, { measure: timed });
      writeGrowth(folder, { ...growth, machine: {} });
      const { curves } = JSON.parse(readFileSync(join(folder, 'growth.json'), 'utf8')) as typeof growth;
      expect(curves).toEqual(growth.curves);
      const picture = readFileSync(join(folder, 'growth.svg'), 'utf8');
      expect(picture.match(/<circle /g)).toHaveLength(24);
      expect(picture).toContain('pairs: T^1.50');
      expect(picture).not.toContain('NaN');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('is a slope in logarithms', () => {
    expect(
      fitExponent([
        { value: 2, seconds: 8 },
        { value: 4, seconds: 64 },
      ]),
    ).toBeCloseTo(3, 12);
  });
});
