/** `--max-memory`: a run is cut into smaller pieces until it fits, with the same numbers, and refused where none fit. */
import { describe, expect, it } from 'vitest';
import { analyze, planRun, type AnalysisOrder } from '../../src/analysis/analyze';
import { loneLayer } from '../../src/engine/lone-layer';
import type { EngineName } from '../../src/engine/engine';
import { layer, at, lstm, model, recurrent, recurrentLayer, weights } from '../engine/model-builder';
import { ENGINE_NAMES } from '../engine/all-ops';
import { makeCell, type Case } from '../engine/random-cells';
import { collectRun } from '../support/collect-run';

const SIGNAL = new AbortController().signal;
const CASES: readonly Case[] = [
  { kind: 'LSTM', units: 96, inputDim: 32, batch: 1, steps: 300, gain: 0.8 },
  { kind: 'LSTM', units: 24, inputDim: 64, batch: 8, steps: 60, gain: 0.8 },
  { kind: 'GRU', units: 48, inputDim: 24, batch: 3, steps: 60, gain: 0.8 },
  { kind: 'SimpleRNN', units: 40, inputDim: 40, batch: 4, steps: 80, gain: 0.8 },
];

function orderOf(wanted: Case, engine: EngineName, maxMemoryBytes: number | null): AnalysisOrder {
  const { batch, steps } = wanted;
  const lone = loneLayer('memory', makeCell(wanted));
  return {
    model: { format: '', producer: '', layers: [lone], inputs: [], assumptions: [], warnings: [] },
    source: { format: '', producer: '', path: '', bytes: 0, sha256: '' },
    version: 'test',
    request: {
      ...{ layer: 'memory', wrt: 'layer-input', atLayer: true, maskFile: null, initialStateFile: null },
      input: { kind: 'random', steps, batch, seed: 0 },
      modes: ['diagonal', 'final', 'states'],
      ...{ engine, warmUp: null, span: null, exact: true, maxSeconds: null, maxMemoryBytes },
    },
    data: { input: null, mask: null, initialState: null },
  };
}

const TITLED = ENGINE_NAMES.flatMap((engine) => CASES.map((one) => [engine, one.kind, one.batch, one] as const));

describe('a run that does not fit in one go', () => {
  it.each(TITLED)(
    'on %s of %s with %i sequences is cut, with the same numbers',
    async (engine, _kind, batch, wanted) => {
      const whole = planRun(orderOf(wanted, engine, null));
      const least = planRun(orderOf(wanted, engine, 1));
      expect(least.cost.peakBytes).toBeLessThan(whole.cost.peakBytes);
      const tight = orderOf(wanted, engine, least.cost.peakBytes);
      const run = await collectRun(analyze(tight, SIGNAL));
      const loose = await collectRun(analyze(orderOf(wanted, engine, null), SIGNAL));
      expect(run.started!.estimate.peakBytes).toBe(least.cost.peakBytes);
      for (const [name, values] of loose.arrays) {
        const got = run.arrays.get(name)!;
        const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const worst = values.reduce((most, value, index) => Math.max(most, Math.abs(value - got[index]!)), 0);
        // Bit for bit, but where float32 products hold other sequences beside the same one.
        const isSame = batch === 1 || engine === 'reference';
        expect({ name, worst: worst / largest <= (isSame ? 0 : 1e-5) }).toEqual({ name, worst: true });
      }
      const refused = collectRun(analyze(orderOf(wanted, engine, least.cost.peakBytes - 1), SIGNAL));
      await expect(refused).rejects.toMatchObject({ code: 'engine/out-of-memory' });
    },
  );
});

describe('the derivative by the model’s input', () => {
  const [steps, units, width] = [400, 8, 12];
  const built = model([
    layer('InputLayer', { kind: 'input', shape: [steps, width], integer: false }, []),
    layer('Dense', { kind: 'dense', kernel: weights([width, width]), bias: null, activation: { name: 'tanh' } }, [
      at(0),
    ]),
    // Every step from every step: the whole result is open until its end.
    layer('Softmax', { kind: 'softmax', axis: 1 }, [at(1)]),
    recurrentLayer(recurrent(lstm(width, units)), [at(2)]),
  ]);
  const order = (maxMemoryBytes: number | null): AnalysisOrder => {
    const base = orderOf({ kind: 'LSTM', units, inputDim: width, batch: 1, steps }, 'reference', maxMemoryBytes);
    return { ...base, model: built, request: { ...base.request, wrt: 'model-input', atLayer: false } };
  };

  it('counts what it holds beside the run', async () => {
    const { peakBytes } = planRun(order(null)).cost;
    // 400 x 400 blocks of 12 x 12 in float64 for the layers below alone.
    await expect(collectRun(analyze(order(peakBytes + 150e6), SIGNAL))).rejects.toMatchObject({
      code: 'engine/out-of-memory',
    });
  });
});
