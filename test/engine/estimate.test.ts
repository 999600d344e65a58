import { beforeAll, describe, expect, it } from 'vitest';
import { PeakMemory } from '../../src/cli/bench/peak-memory';
import { emptyPairsReport, type Engine } from '../../src/engine/engine';
import { estimateRun } from '../../src/engine/estimate';
import { loadEngine } from '../../src/engine/load-engine';
import { loneInput, loneLayer } from '../../src/engine/lone-layer';
import { makeCell, makeInput, type Case } from './random-cells';

const NEVER = new AbortController().signal;

describe('the estimate of a run', () => {
  it('counts the useful work of method.md 2.5', () => {
    const [H, D, T] = [256, 64, 2000];
    const cell = makeCell({ kind: 'LSTM', units: H, inputDim: D, batch: 1, steps: 1 });
    const final = estimateRun([cell], 1, T, ['final'], 'tensorflow').flop;
    const forward = estimateRun([cell], 1, T, [], 'tensorflow').flop;
    expect(forward).toBe(T * 2 * 4 * H * (H + D));
    expect(final - forward).toBe(T * (4 * 2 * H * H * (H + D) + 8 * H * H));
    const diagonal = estimateRun([cell], 1, T, ['diagonal'], 'tensorflow').flop;
    expect(diagonal - forward).toBe(T * 8 * H * D);
  });

  it('grows with the batch, and adds the directions', () => {
    const cell = makeCell({ kind: 'GRU', units: 32, inputDim: 8, batch: 1, steps: 1 });
    const one = estimateRun([cell], 1, 100, ['diagonal', 'final', 'states'], 'tensorflow');
    const four = estimateRun([cell], 4, 100, ['diagonal', 'final', 'states'], 'tensorflow');
    const both = estimateRun([cell, cell], 1, 100, ['diagonal', 'final', 'states'], 'tensorflow');
    expect(four.flop).toBe(4 * one.flop);
    expect(both.flop).toBe(2 * one.flop);
    expect(four.peakBytes).toBeGreaterThan(one.peakBytes);
    expect(four.resultBytes).toBe(4 * one.resultBytes);
    expect(both.seconds).toBeGreaterThan(one.seconds);
  });

  it('is cheap for a wish that is too large to run', () => {
    const cell = makeCell({ kind: 'LSTM', units: 64, inputDim: 8, batch: 1, steps: 1 });
    const cost = estimateRun([cell], 1_000_000, 1_000_000, ['diagonal', 'final'], 'tensorflow');
    expect(cost.peakBytes).toBeGreaterThan(1e14);
    expect(Number.isFinite(cost.seconds)).toBe(true);
  });
});

describe('the estimated memory', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await loadEngine('tensorflow');
    const small: Case = { kind: 'LSTM', units: 4, inputDim: 2, batch: 1, steps: 3 };
    await runWhole(engine, small, 'final');
    await runWhole(engine, small, 'diagonal');
    await runWhole(engine, small, 'pairs');
    await runWhole(engine, small, 'spectrum');
  });

  it.each([
    ['diagonal', { kind: 'LSTM', units: 256, inputDim: 64, batch: 16, steps: 300 }],
    ['final', { kind: 'LSTM', units: 256, inputDim: 64, batch: 1, steps: 400 }],
    ['final', { kind: 'LSTM', units: 128, inputDim: 16, batch: 32, steps: 20 }],
    ['pairs', { kind: 'LSTM', units: 64, inputDim: 16, batch: 1, steps: 300 }],
    ['spectrum', { kind: 'LSTM', units: 256, inputDim: 64, batch: 1, steps: 200 }],
  ] satisfies [Mode, Case][])('of %s is within a factor 1.5: %o', async (mode, wanted) => {
    const { peakBytes } = estimateRun([makeCell(wanted)], wanted.batch, wanted.steps, [mode], 'tensorflow');
    const before = process.memoryUsage.rss();
    const memory = new PeakMemory();
    await runWhole(engine, wanted, mode);
    // Runs before this one leave memory that is used again, so that only the bound from above holds for all.
    expect(memory.bytes() - before).toBeLessThan(1.5 * peakBytes);
    expect(peakBytes).toBeLessThan(300e6);
  });
});

type Mode = 'diagonal' | 'final' | 'pairs' | 'spectrum';

async function runWhole(engine: Engine, wanted: Case, mode: Mode): Promise<void> {
  const { x } = makeInput(wanted);
  const run = await engine.openLayer(loneLayer('layer', makeCell(wanted)), loneInput(x), NEVER);
  try {
    const options = { signal: NEVER, chunkBytes: 2 ** 24 };
    if (mode === 'spectrum') {
      const { count } = await run.spectrum('forward', { ...options, exponents: 64, warmUp: 0 });
      expect(count).toBeGreaterThan(0);
    } else if (mode === 'pairs') {
      const report = emptyPairsReport();
      const sources = ['input', 'initial', 'state'] as const;
      for await (const chunk of run.pairs('forward', { ...options, sources, isExact: false, report })) {
        expect(chunk.logNorms.length).toBeGreaterThan(0);
      }
    } else {
      for await (const chunk of run[mode]('forward', options)) expect(chunk.count).toBeGreaterThan(0);
    }
  } finally {
    run.dispose();
  }
}
