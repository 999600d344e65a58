/** Tiles of steps of the model's input: fixed by sizes, each the same alone and among all, and as large as memory allows. */
import { describe, expect, it } from 'vitest';
import { PeakMemory } from '../../src/cli/bench/peak-memory';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import type { PairsChunk } from '../../src/core/jacobian';
import type { Tensor } from '../../src/core/tensor';
import { withRespectToModelInput } from '../../src/engine/below/model-input-run';
import { planStack, stackTiles, type StackSizes } from '../../src/engine/below/stack-plan';
import { emptyPairsReport, type EngineName, type LayerRun } from '../../src/engine/engine';
import { loadEngine } from '../../src/engine/load-engine';
import { STACK_WIDTH, stackModel } from '../support/stack-models';
import { ENGINE_NAMES, HAS_NATIVE, noise } from './all-ops';
import { at, layer, lstm, model, recurrent, recurrentLayer, weights } from './model-builder';

const SIGNAL = new AbortController().signal;
const CHUNK_BYTES = 2 ** 24;
/** What the estimate of a run adds for threads and what waits for the garbage collector. */
const FIRST_USE_BYTES = 32 * 2 ** 20;
const SIZES: StackSizes = {
  ...{ batch: 2, steps: 100, width: 8, sourceBytes: 2 ** 20, fixedBytes: 2 ** 22, hostBytes: 2 ** 21 },
  ...{ vectorBytes: 2 ** 22, sourceFlop: 1 },
};

describe('the tiles of a stack', () => {
  it('cover every step of every sequence once', () => {
    const tiles = stackTiles(SIZES, { tileSteps: 32, keepsVectors: true, bytes: 0 });
    expect(tiles.map(({ sequence, first, count }) => [sequence, first, count])).toEqual(
      [0, 1].flatMap((sequence) => [0, 32, 64, 96].map((first) => [sequence, first, Math.min(32, 100 - first)])),
    );
  });

  it('are as large as products gain by, and smaller where memory is short', () => {
    expect(planStack(SIZES, CHUNK_BYTES).tileSteps).toBe(64);
    const all = planStack(SIZES, CHUNK_BYTES).bytes;
    for (const maxBytes of [all - 1, 40 * 2 ** 20, 20 * 2 ** 20]) {
      const plan = planStack(SIZES, CHUNK_BYTES, maxBytes);
      expect(plan.tileSteps).toBeLessThan(64);
      expect(plan.bytes).toBeLessThanOrEqual(maxBytes);
      expect(plan.bytes).toBeGreaterThan(maxBytes / 2);
    }
    expect(planStack(SIZES, CHUNK_BYTES, 1).tileSteps).toBe(1);
    expect(planStack(SIZES, CHUNK_BYTES / 64).bytes).toBeLessThan(all / 4);
  });
});

async function open(name: EngineName, built: RecurrentModel, x: Tensor, maxBytes?: number): Promise<LayerRun> {
  const engine = await loadEngine(name);
  const top = built.layers.at(-1)!;
  if (!isRecurrent(top)) throw new Error('not recurrent');
  const stack = await engine.openStack(built, built.layers.length - 1, [x], SIGNAL);
  const run = await engine.openLayer(top, stack.input, SIGNAL);
  const through = stack.under(top, stack.input, run, maxBytes);
  return withRespectToModelInput(run, top, stack.input, { local: null, stack: through });
}

async function pairsOf(run: LayerRun, tiles?: readonly number[]): Promise<PairsChunk[]> {
  const chunks: PairsChunk[] = [];
  for (const { direction } of run.states) {
    const options = { sources: ['input', 'initial', 'state'] as const, isExact: true, chunkBytes: CHUNK_BYTES };
    const isFirst = direction === run.states[0]!.direction;
    const part = tiles && { tiles: new Set(isFirst ? tiles : []), givesKnown: false };
    const more = { report: emptyPairsReport(), signal: SIGNAL, ...(part && { part }) };
    for await (const chunk of run.pairs(direction, { ...options, ...more })) chunks.push(chunk);
  }
  return chunks;
}

describe.each(ENGINE_NAMES)('a tile on %s', (name) => {
  it.each(['three layers of two directions', 'a convolution and pooling between'])(
    'of %s has the same bits alone',
    async (stack) => {
      const steps = 12;
      const x = {
        shape: [2, steps, STACK_WIDTH],
        data: Float32Array.from(noise(2 * steps * STACK_WIDTH, 5)),
      };
      // So little memory that a tile is one step.
      const run = await open(name, stackModel(stack, steps), x, 1);
      const own = await pairsOf(run);
      const joined = own.filter(({ isJoined }) => isJoined);
      expect(new Set(joined.map(({ sequence, sourceStart }) => `${sequence} ${sourceStart}`)).size).toBe(2 * steps);
      const direction = run.states[0]!.direction;
      const options = { sources: ['input', 'initial', 'state'] as const, isExact: true, chunkBytes: CHUNK_BYTES };
      const costs = run.pairsTiles(direction, options);
      expect(costs.length).toBeGreaterThan(2 * steps);
      const apart: PairsChunk[] = [];
      for (const tile of costs.keys()) apart.push(...(await pairsOf(run, [tile])));
      expect(apart).toEqual(own.filter((chunk) => chunk.direction === direction));
      run.dispose();
      // Larger tiles have the same norms, not the same bits.
      const whole = await open(name, stackModel(stack, steps), x);
      const large = (await pairsOf(whole)).filter(({ isJoined }) => isJoined);
      for (const { quantity, sequence, sourceStart, sourceCount, targetCount, logNorms } of large) {
        for (let s = 0; s < sourceCount; s++) {
          const one = joined.find((chunk) => {
            return chunk.quantity === quantity && chunk.sequence === sequence && chunk.sourceStart === sourceStart + s;
          })!;
          for (let t = 0; t < targetCount; t++) {
            const norm = logNorms[t * sourceCount + s]!;
            if (norm === -Infinity) expect(one.logNorms[t]).toBe(-Infinity);
            else expect(one.logNorms[t]).toBeCloseTo(norm, 4);
          }
        }
      }
      whole.dispose();
    },
  );
});

describe('a stack that begins with an Embedding', () => {
  it.each(ENGINE_NAMES)('is differentiated by the embedded sequence on %s', async (name) => {
    const steps = 7;
    const layers = stackModel('three layers of two directions', steps).layers;
    const ids = {
      shape: [2, steps],
      data: Int32Array.from(noise(2 * steps, 6), (value) => Math.floor((value + 1) * 2.5)),
    };
    const table = weights([5, STACK_WIDTH], 11);
    const rows = [...ids.data].flatMap((id) => [...table.data.subarray(id * STACK_WIDTH, (id + 1) * STACK_WIDTH)]);
    const moved = layers.slice(1).map((own) => ({
      ...own,
      inputs: own.inputs.map((ref) => ({ ...ref, layer: ref.layer + 1 })),
    }));
    const embedded = model([
      layer('InputLayer', { kind: 'input', shape: [steps], integer: true }, []),
      layer('Embedding', { kind: 'embedding', table, maskZero: false }, [at(0)]),
      ...moved,
    ]);
    const u = { shape: [2, steps, STACK_WIDTH], data: Float32Array.from(rows) };
    const [byIds, byRows] = [await open(name, embedded, ids), await open(name, model(layers), u)];
    expect(byIds.inputDim).toBe(STACK_WIDTH);
    expect(await pairsOf(byIds)).toEqual(await pairsOf(byRows));
    byIds.dispose();
    byRows.dispose();
  });
});

describe('the memory of a stack', () => {
  it.runIf(HAS_NATIVE)('is within a factor 1.5 of what is told before', async () => {
    const [steps, width, units] = [160, 32, 80];
    const both = (inputDim: number) =>
      recurrent(lstm(inputDim, units), { backward: lstm(inputDim, units, 9), returnSequences: true });
    const built = model([
      layer('InputLayer', { kind: 'input', shape: [steps, width], integer: false }, []),
      recurrentLayer(both(width), [at(0)], 'below'),
      recurrentLayer(both(2 * units), [at(1)]),
    ]);
    const x = { shape: [1, steps, width], data: Float32Array.from(noise(steps * width, 5)) };
    const engine = await loadEngine('tensorflow');
    const top = built.layers[2]!;
    if (!isRecurrent(top)) throw new Error('not recurrent');
    const stack = await engine.openStack(built, 2, [x], SIGNAL);
    const run = await engine.openLayer(top, stack.input, SIGNAL);
    const through = stack.under(top, stack.input, run);
    const told = through.bytes(CHUNK_BYTES);
    expect(told).toBeLessThan(300e6);
    const before = process.memoryUsage.rss();
    const memory = new PeakMemory();
    for await (const chunk of through.pairs({ chunkBytes: CHUNK_BYTES, signal: SIGNAL })) void chunk;
    run.dispose();
    // Runs before this one leave memory that is used again, so that only the bound from above holds for all.
    expect(memory.bytes() - before).toBeLessThan(1.5 * (told + FIRST_USE_BYTES));
  });
});
