/** A run over 60 000 timesteps answers at every stage; the bounds leave room for a busy machine. */
import { describe, expect, it } from 'vitest';
import { analyze, type AnalysisOrder } from '../../src/analysis/analyze';
import type { RecurrentModel } from '../../src/core/model';
import { loneLayer } from '../../src/engine/lone-layer';
import type { RunRequest } from '../../src/shared/run';
import { HAS_NATIVE } from '../engine/all-ops';
import { makeCell, type Case } from '../engine/random-cells';

const STEPS = 60_000;
/** The answer is meant to come within a tenth of a second. */
const LIMIT_MS = 400;
const TICK_MS = 5;

function orderOf(kind: Case['kind'], engine: 'tensorflow' | 'reference', modes: RunRequest['modes']): AnalysisOrder {
  const layer = loneLayer('memory', makeCell({ kind, units: 16, inputDim: 8, batch: 1, steps: STEPS, gain: 0.5 }));
  const model: RecurrentModel = {
    format: 'test',
    producer: 'test',
    layers: [layer],
    inputs: [],
    assumptions: [],
    warnings: [],
  };
  return {
    model,
    source: { format: 'test', producer: 'test', path: '', bytes: 0, sha256: '' },
    version: 'test',
    request: {
      ...{ layer: layer.name, wrt: 'layer-input' as const, atLayer: true, maskFile: null, initialStateFile: null },
      input: { kind: 'random' as const, steps: STEPS, batch: 1, seed: 0 },
      modes,
      ...{ engine, warmUp: null, span: null, exact: true, maxSeconds: null, maxMemoryBytes: null },
    },
    data: { input: null, mask: null, initialState: null },
  };
}

const RUNS: readonly [engine: 'tensorflow' | 'reference', kind: Case['kind'], modes: RunRequest['modes']][] = [
  ...(HAS_NATIVE ? (['tensorflow'] as const) : []).flatMap((engine): typeof RUNS => [
    [engine, 'LSTM', ['diagonal', 'states']],
    [engine, 'GRU', ['states']],
  ]),
  ['reference', 'LSTM', ['diagonal', 'final', 'states']],
];

describe('a long run', () => {
  it.each(RUNS)(
    'on %s of %s hears a message in every stage: %s',
    async (engine, kind, modes) => {
      const abort = new AbortController();
      let [last, longest] = [performance.now(), 0];
      const timer = setInterval(() => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
      }, TICK_MS);
      const silences = new Map<string, number>();
      try {
        for await (const { event } of analyze(orderOf(kind, engine, modes), abort.signal)) {
          if (event.kind !== 'progress') continue;
          await new Promise((resolve) => setTimeout(resolve, 2 * TICK_MS));
          silences.set(event.stage, Math.max(silences.get(event.stage) ?? 0, longest));
          longest = 0;
        }
      } finally {
        clearInterval(timer);
      }
      // What comes before the first progress is the loading of the library, which nothing can interrupt.
      silences.delete('input');
      silences.set('after the last progress', longest);
      expect(silences.size).toBe(modes.length + 2);
      for (const [stage, silence] of silences)
        expect({ stage, isShort: silence < LIMIT_MS }).toEqual({ stage, isShort: true });
    },
    120_000,
  );
});
