/**
 * All pairs with respect to the model's input, through every layer between.
 *
 * Central differences in float64 are the witness of small models; their error is about 1e-10 of the largest entry.
 */
import { describe, expect, it } from 'vitest';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import type { Engine, LayerRun } from '../../src/engine/engine';
import { emptyPairsReport, type EngineName } from '../../src/engine/engine';
import { withRespectToModelInput } from '../../src/engine/below/model-input-run';
import { loadEngine } from '../../src/engine/load-engine';
import { differenceNorms } from '../support/difference-norms';
import { STACK_NAMES, STACK_WIDTH, stackModel } from '../support/stack-models';
import { ENGINE_NAMES, noise } from './all-ops';

const SIGNAL = new AbortController().signal;
const STEPS = 6;
const BATCH = 2;
const REALS = { shape: [BATCH, STEPS, STACK_WIDTH], data: Float64Array.from(noise(BATCH * STEPS * STACK_WIDTH, 5)) };
const TOLERANCE: Readonly<Record<EngineName, number>> = { reference: 1e-8, tensorflow: 3e-5, wasm: 3e-5 };

async function open(engine: Engine, built: RecurrentModel, maxBytes?: number): Promise<LayerRun> {
  const index = built.layers.length - 1;
  const layer = built.layers[index]!;
  if (!isRecurrent(layer)) throw new Error('not recurrent');
  const stack = await engine.openStack(built, index, [REALS], SIGNAL);
  const run = await engine.openLayer(layer, stack.input, SIGNAL);
  return withRespectToModelInput(run, layer, stack.input, {
    local: null,
    stack: stack.under(layer, stack.input, run, maxBytes),
  });
}

/** `[B, T, T_u]` of dh_dx and dc_dx, each cell once. */
async function pairsOf(run: LayerRun): Promise<Map<string, Float64Array>> {
  const norms = new Map<string, Float64Array>();
  for (const { direction } of run.states) {
    const options = {
      sources: ['input'] as const,
      isExact: true,
      chunkBytes: 2 ** 24,
      report: emptyPairsReport(),
      signal: SIGNAL,
    };
    for await (const chunk of run.pairs(direction, options)) {
      const all = norms.get(chunk.quantity) ?? new Float64Array(BATCH * run.steps * STEPS).fill(NaN);
      norms.set(chunk.quantity, all);
      for (let t = 0; t < chunk.targetCount; t++) {
        for (let s = 0; s < chunk.sourceCount; s++) {
          const place = (chunk.sequence * run.steps + chunk.targetStart + t) * STEPS + chunk.sourceStart + s;
          expect(all[place]).toBeNaN();
          all[place] = chunk.logNorms[t * chunk.sourceCount + s]!;
        }
      }
    }
  }
  return norms;
}

describe.each(ENGINE_NAMES)('pairs by the model’s input on %s', (name) => {
  it.each(STACK_NAMES)('of %s equal central differences', async (stack) => {
    const built = stackModel(stack, STEPS);
    const engine = await loadEngine(name);
    const before = engine.tensorCount();
    const run = await open(engine, built);
    const norms = await pairsOf(run);
    run.dispose();
    expect(engine.tensorCount()).toBe(before);
    const expected = await differenceNorms(built, built.layers.length - 1, REALS.shape, REALS.data);
    for (const [quantity, want] of [
      ['dh_dx', expected.h],
      ['dc_dx', expected.c],
    ] as const) {
      const got = norms.get(quantity);
      expect(got !== undefined).toBe(want !== null);
      if (!got || !want) continue;
      const largest = Math.max(...want);
      expect(largest).toBeGreaterThan(0);
      want.forEach((norm, at) => {
        // What a difference cannot tell from zero is exactly zero here, or as small.
        expect(Math.abs(Math.exp(got[at]!) - norm) / largest).toBeLessThan(TOLERANCE[name]);
        if (norm === 0) expect(got[at]).toBe(-Infinity);
      });
    }
  });
});
