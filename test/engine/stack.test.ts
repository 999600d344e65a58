/**
 * All pairs with respect to the model's input, through every layer between.
 *
 * Central differences in float64 are the witness of small models; their error is about 1e-10 of the largest entry.
 */
import { describe, expect, it } from 'vitest';
import { isRecurrent, type CellDescription, type RecurrentLayer, type RecurrentModel } from '../../src/core/model';
import type { Engine, LayerRun } from '../../src/engine/engine';
import { emptyPairsReport, type EngineName } from '../../src/engine/engine';
import { withRespectToModelInput } from '../../src/engine/below/model-input-run';
import type { Tensor } from '../../src/core/tensor';
import { loadEngine } from '../../src/engine/load-engine';
import { differenceNorms } from '../support/difference-norms';
import { STACK_NAMES, STACK_WIDTH, stackModel } from '../support/stack-models';
import { chainNorms, type ChainLayer } from '../support/stack-products';
import { ENGINE_NAMES, noise } from './all-ops';
import { at, layer, model, recurrent, recurrentLayer } from './model-builder';
import { makeCell, type Case } from './random-cells';

const SIGNAL = new AbortController().signal;
const STEPS = 6;
const BATCH = 2;
const REALS = { shape: [BATCH, STEPS, STACK_WIDTH], data: Float64Array.from(noise(BATCH * STEPS * STACK_WIDTH, 5)) };
const TOLERANCE: Readonly<Record<EngineName, number>> = { reference: 1e-8, tensorflow: 3e-5, wasm: 3e-5 };

async function open(engine: Engine, built: RecurrentModel, x: Tensor = REALS, maxBytes?: number): Promise<LayerRun> {
  const index = built.layers.length - 1;
  const layer = built.layers[index]!;
  if (!isRecurrent(layer)) throw new Error('not recurrent');
  const stack = await engine.openStack(built, index, [x], SIGNAL);
  const run = await engine.openLayer(layer, stack.input, SIGNAL);
  return withRespectToModelInput(run, layer, stack.input, {
    local: null,
    stack: stack.under(layer, stack.input, run, maxBytes),
  });
}

/** `[B, T, T_u]` of dh_dx and dc_dx, each cell once. */
async function pairsOf(run: LayerRun, sources: number): Promise<Map<string, Float64Array>> {
  const norms = new Map<string, Float64Array>();
  for (const { direction } of run.states) {
    const options = { isExact: true, chunkBytes: 2 ** 24, report: emptyPairsReport(), signal: SIGNAL };
    for await (const chunk of run.pairs(direction, { ...options, sources: ['input'] })) {
      const all = norms.get(chunk.quantity) ?? new Float64Array(run.batch * run.steps * sources).fill(NaN);
      norms.set(chunk.quantity, all);
      for (let t = 0; t < chunk.targetCount; t++) {
        for (let s = 0; s < chunk.sourceCount; s++) {
          const place = (chunk.sequence * run.steps + chunk.targetStart + t) * sources + chunk.sourceStart + s;
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
    const norms = await pairsOf(run, STEPS);
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

/** Chains of recurrent layers by what they do to a derivative. */
const CHAINS: Readonly<Record<string, Partial<Case>>> = {
  'contracting strongly': { gain: 0.3, inputGain: 0.5, biasShift: -2 },
  latched: { gain: 3, inputGain: 1, biasShift: 4 },
  growing: { kind: 'SimpleRNN', gain: 3, inputGain: 0.2, activation: { name: 'relu' } },
  dead: { kind: 'SimpleRNN', activation: { name: 'relu' }, biasShift: -3 },
  saturated: { kind: 'GRU', gain: 1, inputGain: 30 },
  chaotic: { kind: 'SimpleRNN', gain: 2 },
};
type Ways = 'one direction' | 'both directions';

/** A chain of layers that give all steps. */
interface Chain {
  readonly kind: string;
  readonly ways: Ways;
  readonly units: number;
  readonly steps: number;
  readonly depth: number;
  /** Whether some steps are masked, in every layer. */
  readonly isMasked?: boolean;
  /** Every so many sources are compared. */
  readonly sourceGap?: number;
}

/** The largest error of a log norm against float64 products, the lowest norm, and how many are exactly zero. */
async function errorOf(name: EngineName, chain: Chain): Promise<{ worst: number; lowest: number; zeros: number }> {
  const { kind, ways, units, steps, depth, isMasked = false, sourceGap = 1 } = chain;
  const batch = isMasked ? 2 : 1;
  const isBoth = ways === 'both directions';
  const cellOf = (inputDim: number): CellDescription =>
    makeCell({ kind: 'LSTM', units, inputDim, batch: 1, steps: 1, ...CHAINS[kind] });
  const one = (inputDim: number, from: number): RecurrentLayer =>
    recurrentLayer(
      recurrent(cellOf(inputDim), { backward: isBoth ? cellOf(inputDim) : null, returnSequences: true }),
      [at(from)],
      `layer ${from}`,
    );
  const width = isBoth ? 2 * units : units;
  const input = layer('InputLayer', { kind: 'input', shape: [steps, 2], integer: false }, []);
  const masking = layer('Masking', { kind: 'masking', maskValue: 0 }, [at(0)]);
  const layers = Array.from({ length: depth }, (_, level) => one(level === 0 ? 2 : width, level + 1));
  const built = model([input, masking, ...layers]);
  const x = { shape: [batch, steps, 2], data: Float32Array.from(noise(batch * steps * 2, 7)) };
  const gaps = noise(batch * steps, 8);
  for (let step = 0; isMasked && step < batch * steps; step++)
    if (gaps[step]! < -0.3) x.data.fill(0, 2 * step, 2 * step + 2);
  const engine = await loadEngine(name);
  const run = await open(engine, built, x);
  const norms = await pairsOf(run, steps);
  run.dispose();
  const opened = await Promise.all(
    layers.map(async (own, level): Promise<ChainLayer> => {
      const fed = await engine.runBelow(built, level + 2, [x], SIGNAL);
      return { layer: own, input: fed, run: await engine.openLayer(own, fed, SIGNAL) };
    }),
  );
  let [worst, lowest, zeros] = [0, Infinity, 0];
  for (let sequence = 0; sequence < batch; sequence++) {
    const expected = chainNorms(opened, sequence, sourceGap);
    for (const [quantity, want] of [
      ['dh_dx', expected.h],
      ['dc_dx', expected.c],
    ] as const) {
      const got = norms.get(quantity)?.subarray(sequence * steps ** 2);
      want.forEach((norm, place) => {
        if (!got || Number.isNaN(norm)) return;
        if (norm === -Infinity) {
          zeros++;
          expect(got[place]).toBe(-Infinity);
          return;
        }
        lowest = Math.min(lowest, norm);
        worst = Math.max(worst, Math.abs(got[place]! - norm));
      });
    }
  }
  for (const { run: states } of opened) states.dispose();
  return { worst, lowest, zeros };
}

const KINDS = Object.keys(CHAINS);
const WAYS = ['one direction', 'both directions'] as const;
const SMALL = ENGINE_NAMES.flatMap((name) => KINDS.flatMap((kind) => WAYS.map((ways) => [name, kind, ways] as const)));
/** Cells that are too large for float64 on the engine. */
const LARGE_UNITS = { tensorflow: 64, wasm: 24 } as const;
const LARGE = SMALL.filter(([name]) => name !== 'reference');

describe('a chain of layers has the norms of float64 products', () => {
  it.each(SMALL)('on %s, %s, in %s', async (name, kind, ways) => {
    const { worst, zeros } = await errorOf(name, { kind, ways, units: 4, steps: 60, depth: 3 });
    expect(worst).toBeLessThan(name === 'reference' ? 1e-9 : 1e-4);
    if (ways === 'one direction' || kind === 'dead') expect(zeros).toBeGreaterThan(0);
  });

  it.each(LARGE)('on %s, %s, in %s, in single precision', async (name, kind, ways) => {
    const units = LARGE_UNITS[name as keyof typeof LARGE_UNITS];
    const { worst } = await errorOf(name, { kind, ways, units, steps: 40, depth: 3 });
    expect(worst).toBeLessThan(1e-3);
  });

  it.each(ENGINE_NAMES.flatMap((name) => WAYS.map((ways) => [name, ways] as const)))(
    'on %s with masks, two sequences, in %s',
    async (name, ways) => {
      const chain = { kind: 'latched', ways, units: 4, steps: 30, depth: 2, isMasked: true };
      const { worst, zeros } = await errorOf(name, chain);
      expect(worst).toBeLessThan(name === 'reference' ? 1e-9 : 1e-4);
      expect(zeros).toBeGreaterThan(0);
    },
  );

  it.each(ENGINE_NAMES)('on %s far below what any number holds', async (name) => {
    const chain = { kind: 'contracting strongly', ways: 'one direction' as const, steps: 600, depth: 2, sourceGap: 50 };
    const { worst, lowest } = await errorOf(name, { ...chain, units: 3 });
    expect(worst).toBeLessThan(1e-3);
    expect(lowest).toBeLessThan(-800);
  });
});
