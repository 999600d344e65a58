/** `--wrt model-input` through layers built by hand: two directions, Embeddings, and results that come in pieces. */
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import { isRecurrent, type Layer, type PlainOperation, type RecurrentModel } from '../../src/core/model';
import type { Tensor } from '../../src/core/tensor';
import { localJacobian } from '../../src/engine/below/local-jacobian';
import { withRespectToModelInput } from '../../src/engine/below/model-input-run';
import { loadEngine } from '../../src/engine/load-engine';
import { noise } from '../engine/all-ops';
import { at, layer, lstm, model, recurrent, recurrentLayer, weights } from '../engine/model-builder';
import { makeCell } from '../engine/random-cells';
import { collectRun, type CollectedRun } from '../support/collect-run';
import { expectDifferences } from '../support/differences';

const SIGNAL = new AbortController().signal;
const STEPS = 7;
const D = 3;

const conv = (size: number, stride: number, padding: 'same' | 'causal' | 'valid'): PlainOperation => ({
  kind: 'conv1d',
  kernel: weights([size, D, D], 31),
  bias: weights([D], 32),
  ...{ stride, dilation: 1, groups: 1, padding },
  activation: { name: 'tanh' },
});

const gru = makeCell({ kind: 'GRU', units: 2, inputDim: D, batch: 1, steps: 1 });
const RECURRENCES = {
  'LSTM both ways': recurrent(lstm(D, 4), { backward: lstm(D, 4, 9) }),
  'LSTM forward, GRU backward': recurrent(lstm(D, 4), { backward: gru }),
  'GRU forward, LSTM backward': recurrent(gru, { backward: lstm(D, 4, 9) }),
  'LSTM backwards alone': recurrent(null, { backward: lstm(D, 4, 9) }),
  'LSTM forward': recurrent(lstm(D, 4)),
};
const BELOW: Readonly<Record<string, PlainOperation>> = {
  'steps one by one': { kind: 'activation', activation: { name: 'tanh' } },
  'windows on both sides': conv(3, 1, 'same'),
  'windows into the past': conv(3, 1, 'causal'),
  'windows apart': conv(2, 2, 'valid'),
  'the largest of two': { kind: 'pool1d', pooling: 'max', size: 2, stride: 2, padding: 'same' },
  'every step from every step': { kind: 'softmax', axis: 1 },
};
const CASES = Object.keys(RECURRENCES).flatMap((kind) =>
  Object.keys(BELOW).map((below) => [kind as keyof typeof RECURRENCES, below] as const),
);

const inputLayer = (integer: boolean): Layer =>
  layer('InputLayer', { kind: 'input', shape: integer ? [STEPS] : [STEPS, D], integer }, []);

function build(kind: keyof typeof RECURRENCES, below: string): RecurrentModel {
  return model([inputLayer(false), layer('Below', BELOW[below]!, [at(0)]), recurrentLayer(RECURRENCES[kind], [at(1)])]);
}

function runOf(built: RecurrentModel, input: Tensor, engine: 'reference' | 'tensorflow'): Promise<CollectedRun> {
  const order = {
    model: built,
    source: { format: '', producer: '', path: '', bytes: 0, sha256: '' },
    version: 'test',
    request: {
      ...{ layer: 'memory', wrt: 'model-input' as const, atLayer: false, maskFile: null, initialStateFile: null },
      input: { kind: 'file' as const, path: 'x', key: null, header: null },
      modes: ['diagonal' as const, 'final' as const, 'states' as const],
      ...{ engine, warmUp: null, span: null, exact: true, maxSeconds: null, maxMemoryBytes: null },
    },
    data: { input, mask: null, initialState: null },
  };
  return collectRun(analyze(order, SIGNAL));
}

const REALS = { shape: [2, STEPS, D], data: Float64Array.from(noise(2 * STEPS * D, 5)) };

describe('the derivative by the model’s input equals central differences', () => {
  it.each(CASES)('of a %s above %s', async (kind, below) => {
    const built = build(kind, below);
    await expectDifferences(built, 2, REALS, await runOf(built, REALS, 'reference'), 1e-7);
    await expectDifferences(built, 2, REALS, await runOf(built, REALS, 'tensorflow'), 1e-4);
  });
});

describe('the result in pieces', () => {
  it.each(CASES)('of a %s above %s is the same as in one', async (kind, below) => {
    const built = build(kind, below);
    const memory = built.layers[2]!;
    if (!isRecurrent(memory)) throw new Error('not recurrent');
    const engine = await loadEngine('reference');
    const input = await engine.runBelow(built, 2, [REALS], SIGNAL);
    const local = await localJacobian(built, 2, [REALS], SIGNAL);
    const run = withRespectToModelInput(await engine.openLayer(memory, input, SIGNAL), memory, input, { local, stack: null });
    const modes = run.steps === STEPS ? (['diagonal', 'final'] as const) : (['final'] as const);
    for (const { direction } of run.states) {
      for (const mode of modes) {
        const read = async (chunkBytes: number): Promise<{ pieces: number; values: Map<string, number[]> }> => {
          const values = new Map<string, number[]>();
          let pieces = 0;
          for await (const chunk of run[mode](direction, { signal: SIGNAL, chunkBytes })) {
            pieces++;
            const blocks = chunk.mode === 'diagonal' ? chunk.dhdx : chunk.dhTdx;
            const size = blocks.length / (run.batch * chunk.count);
            for (let n = 0; n < run.batch * chunk.count; n++) {
              const key = `${Math.floor(n / chunk.count)} ${chunk.start + (n % chunk.count)}`;
              expect(values.has(key)).toBe(false);
              const norm = chunk.mode === 'final' ? [chunk.lognormH[n]!] : [];
              values.set(key, [...blocks.subarray(n * size, (n + 1) * size), ...norm]);
            }
          }
          return { pieces, values };
        };
        const [whole, parts] = [await read(2 ** 24), await read(1)];
        expect(parts.values.size).toBe(2 * STEPS);
        expect(parts.values).toEqual(whole.values);
        expect(parts.pieces).toBe(STEPS);
      }
    }
    run.dispose();
  });
});

describe('a model that starts with Embeddings', () => {
  const ids = {
    shape: [2, STEPS],
    data: Int32Array.from(noise(2 * STEPS, 6), (value) => Math.floor((value + 1) * 2.5)),
  };
  const table = (seed: number): Layer['operation'] => ({
    kind: 'embedding',
    table: weights([5, D], seed),
    maskZero: false,
  });
  /** The rows of a table that the ids pick. */
  const embedded = (seed: number): Float64Array[] =>
    [...ids.data].map((id) => Float64Array.from(weights([5, D], seed).data.subarray(id * D, (id + 1) * D)));
  const plain = (operation: PlainOperation, width: number): RecurrentModel =>
    model([
      layer('InputLayer', { kind: 'input', shape: [STEPS, width], integer: false }, []),
      layer('Below', operation, [at(0)]),
      recurrentLayer(recurrent(lstm(operation.kind === 'identity' ? width : D, 4)), [at(1)]),
    ]);

  it('behind a Reshape is differentiated by the embedded sequence', async () => {
    const built = model([
      inputLayer(true),
      layer('Reshape', { kind: 'reshape', target: [STEPS] }, [at(0)]),
      layer('Embedding', table(11), [at(1)]),
      recurrentLayer(recurrent(lstm(D, 4)), [at(2)]),
    ]);
    const u = { shape: [2, STEPS, D], data: Float64Array.from(embedded(11).flatMap((row) => [...row])) };
    const run = await runOf(built, ids, 'reference');
    expect(run.arrays.get('x')).toEqual(u.data);
    await expectDifferences(plain({ kind: 'identity' }, D), 2, u, run, 1e-7);
  });

  it.each(['concatenate', 'add'] as const)('two on one input, joined by %s, by both side by side', async (join) => {
    const operation: Layer['operation'] =
      join === 'add' ? { kind: 'merge', operation: 'add' } : { kind: 'concatenate', axis: -1 };
    const width = join === 'add' ? D : 2 * D;
    const built = model([
      inputLayer(true),
      layer('Embedding', table(11), [at(0)], 'first'),
      layer('Embedding', table(12), [at(0)], 'second'),
      layer('Join', operation, [at(1), at(2)]),
      recurrentLayer(recurrent(lstm(width, 4)), [at(3)]),
    ]);
    const [first, second] = [embedded(11), embedded(12)];
    const rows = first.flatMap((row, index) => [...row, ...second[index]!]);
    const u = { shape: [2, STEPS, 2 * D], data: Float64Array.from(rows) };
    const run = await runOf(built, ids, 'reference');
    expect(run.arrays.get('x')).toEqual(u.data);
    const sum = Float32Array.from({ length: 2 * D * D }, (_, n) => Number(Math.floor(n / D) % D === n % D));
    const same: PlainOperation =
      join === 'add'
        ? { kind: 'dense', kernel: { shape: [2 * D, D], data: sum }, bias: null, activation: { name: 'linear' } }
        : { kind: 'identity' };
    await expectDifferences(plain(same, 2 * D), 2, u, run, 1e-7);
  });

  it('is refused where the ids reach the layer beside their Embedding', async () => {
    const built = model([
      inputLayer(true),
      layer('Embedding', table(11), [at(0)]),
      layer('Reshape', { kind: 'reshape', target: [STEPS, 1] }, [at(0)]),
      layer('Concatenate', { kind: 'concatenate', axis: -1 }, [at(1), at(2)]),
      recurrentLayer(recurrent(lstm(D + 1, 4)), [at(3)]),
    ]);
    await expect(runOf(built, ids, 'reference')).rejects.toMatchObject({
      code: 'cell/unsupported',
      message: expect.stringContaining('beside their Embedding') as string,
    });
  });
});
