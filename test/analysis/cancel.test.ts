/** A long run lets messages in many times; how soon each is answered is measured by `tempograd bench`. */
import { describe, expect, it } from 'vitest';
import { analyze, type AnalysisOrder } from '../../src/analysis/analyze';
import type { RecurrentModel } from '../../src/core/model';
import { loneLayer } from '../../src/engine/lone-layer';
import type { RunRequest } from '../../src/shared/run';
import { HAS_NATIVE } from '../engine/all-ops';
import { makeCell, type Case } from '../engine/random-cells';

const STEPS = 30_000;
/** Stages that each ran in one piece would let messages in a handful of times, at their ends. */
const LEAST_TURNS = 20;

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
    'on %s of %s hears messages all the time: %s',
    async (engine, kind, modes) => {
      const abort = new AbortController();
      let turns = 0;
      let isOver = false as boolean;
      const count = (): void => {
        turns++;
        if (!isOver) setImmediate(count);
      };
      setImmediate(count);
      for await (const { event } of analyze(orderOf(kind, engine, modes), abort.signal)) {
        if (event.kind === 'started') turns = 0;
      }
      isOver = true;
      expect(turns).toBeGreaterThan(LEAST_TURNS);
    },
    120_000,
  );
});
