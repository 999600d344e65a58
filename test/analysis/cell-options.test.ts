/** Cells with the options of ONNX and PyTorch, analysed from the model's input to the written arrays on every engine. */
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import type { RunData } from '../../src/analysis/size-run';
import type { Layer, RecurrentModel, RecurrentOperation } from '../../src/core/model';
import type { RealTensor } from '../../src/core/tensor';
import type { EngineName } from '../../src/engine/engine';
import { RunArrays } from '../../src/export/run-arrays';
import type { RunRequest } from '../../src/shared/run';
import { ENGINE_NAMES, noise } from '../engine/all-ops';
import { at, layer, lstm, model, recurrent, recurrentLayer, weights } from '../engine/model-builder';
import { makeCell, relativeError, type Case } from '../engine/random-cells';
import { makeMemorySink } from '../export/memory-sink';
import { collectRun, type CollectedRun } from '../support/collect-run';
import { expectDifferences } from '../support/differences';
import { readNpz } from '../support/read-npz';

const SIGNAL = new AbortController().signal;
const [B, T, D, H, P] = [2, 6, 3, 5, 2];
const INPUT = { shape: [B, T, D], data: Float64Array.from(noise(B * T * D, 5)) };

const cell = (more: Partial<Case>): ReturnType<typeof makeCell> =>
  makeCell({ kind: 'LSTM', units: H, inputDim: D, batch: B, steps: T, ...more });
const inputLayer = layer('InputLayer', { kind: 'input', shape: [null, D], integer: false }, []);
const constant = (value: RealTensor, name: string): Layer => layer('Constant', { kind: 'constant', value }, [], name);

/** A model whose last layer is the one to be analysed. */
function above(operation: RecurrentOperation, between: readonly Layer[] = []): RecurrentModel {
  const below = between.length === 0 ? 0 : between.length;
  return model([inputLayer, ...between, recurrentLayer(operation, [at(below)])], 'onnx');
}

interface Wish {
  readonly engine: EngineName;
  readonly request?: Partial<RunRequest>;
  readonly data?: Partial<RunData>;
}

function stepsOf(built: RecurrentModel, { engine, request, data }: Wish): ReturnType<typeof analyze> {
  const order = {
    model: built,
    source: { format: '', producer: '', path: '', bytes: 0, sha256: '' },
    version: 'test',
    request: {
      ...{ layer: 'memory', wrt: 'layer-input' as const, atLayer: false, maskFile: null, initialStateFile: null },
      input: { kind: 'file' as const, path: 'x', key: null, header: null },
      modes: ['diagonal' as const, 'final' as const, 'states' as const],
      ...{ engine, warmUp: null, span: null, exact: true, maxSeconds: null, maxMemoryBytes: null },
      ...request,
    },
    data: { input: INPUT, mask: null, initialState: null, ...data },
  };
  return analyze(order, SIGNAL);
}

const runOf = (built: RecurrentModel, wish: Wish): Promise<CollectedRun> => collectRun(stepsOf(built, wish));

const projected = cell({ projected: P });
const OPERATIONS: Readonly<Record<string, RecurrentModel>> = {
  'a projection': above(recurrent(projected)),
  'a projection both ways': above(recurrent(projected, { backward: cell({ projected: 4, peepholes: true }) })),
  'peepholes and clip': above(recurrent(cell({ peepholes: true, clip: 1.1 }))),
  'f = 1 - i and an own psi': above(
    recurrent(cell({ inputForget: true, outputActivation: { name: 'affine', slope: 0.5, offset: 0.1 } })),
  ),
  'a GRU with a clip, backwards': above(recurrent(null, { backward: cell({ kind: 'GRU', clip: 0.9 }) })),
  'a projection above a projection': above(
    recurrent(makeCell({ kind: 'LSTM', units: H, inputDim: P, batch: B, steps: T, projected: P })),
    [recurrentLayer(recurrent(projected, { returnSequences: true }), [at(0)], 'below')],
  ),
  'a projection above Dense': above(recurrent(projected), [
    layer('Dense', { kind: 'dense', kernel: weights([D, D], 3), bias: null, activation: { name: 'tanh' } }, [at(0)]),
  ]),
};

describe.each(ENGINE_NAMES)('on %s', (engine) => {
  const tolerance = engine === 'reference' ? 1e-7 : 1e-4;

  it.each([
    'a projection',
    'a projection both ways',
    'peepholes and clip',
    'f = 1 - i and an own psi',
    'a GRU with a clip, backwards',
  ])('%s gives central differences', async (name) => {
    const built = OPERATIONS[name]!;
    await expectDifferences(built, 1, INPUT, await runOf(built, { engine }), tolerance);
  });

  it('a projection above Dense gives central differences by the model’s input', async () => {
    const built = OPERATIONS['a projection above Dense']!;
    const run = await runOf(built, { engine, request: { wrt: 'model-input' } });
    await expectDifferences(built, 2, INPUT, run, tolerance);
  });

  it.each(Object.keys(OPERATIONS))('%s is as on the reference', async (name) => {
    const [got, wanted] = [
      await runOf(OPERATIONS[name]!, { engine }),
      await runOf(OPERATIONS[name]!, { engine: 'reference' }),
    ];
    expect([...got.arrays.keys()]).toEqual([...wanted.arrays.keys()]);
    for (const [array, values] of wanted.arrays) {
      expect(relativeError(got.arrays.get(array)!, values), array).toBeLessThan(tolerance);
    }
  });

  it('the files of a projection have P units of h and H of c and the gates', async () => {
    const sink = makeMemorySink();
    let arrays: RunArrays | null = null;
    for await (const step of stepsOf(OPERATIONS['a projection both ways']!, { engine })) {
      if (step.event.kind === 'started') arrays = new RunArrays(sink, step.event);
      else arrays?.add(step);
    }
    await arrays!.close();
    const file = readNpz(sink.bytes());
    const shapes = Object.fromEntries([...file].map(([name, { shape }]) => [name, shape]));
    expect(shapes).toMatchObject({
      h: [B, T, P + 4],
      c: [B, T, 2 * H],
      gate_i: [B, T, 2 * H],
      gate_o: [B, T, 2 * H],
      dh_dx: [B, T, P + 4, D],
      dc_dx: [B, T, 2 * H, D],
      dhT_dx: [B, T, P + 4, D],
      dcT_dx: [B, T, 2 * H, D],
    });
    const run = await runOf(OPERATIONS['a projection both ways']!, { engine });
    for (const name of ['h', 'c', 'dh_dx', 'dc_dx', 'dhT_dx', 'dcT_dx']) {
      expect(relativeError(Float64Array.from(file.get(name)!.data), run.arrays.get(name)!), name).toBeLessThan(1e-6);
    }
  });

  it('initial states that the file stores are used, for every sequence, and gave way to the user’s', async () => {
    const [h0, c0] = [weights([1, P], 41), weights([B, H], 42)];
    const operation = recurrent(projected, { initialState: [at(1), at(2)] });
    const built = model(
      [inputLayer, constant(h0, 'h0'), constant(c0, 'c0'), recurrentLayer(operation, [at(0)])],
      'onnx',
    );
    const spread = { shape: [B, P], data: Float64Array.from([...h0.data, ...h0.data]) };
    const plain = above(recurrent(projected));
    const given = await runOf(plain, { engine, data: { initialState: { h0: spread, c0 } } });
    for (const request of [{}, { atLayer: true }]) {
      const stored = await runOf(built, { engine, request });
      for (const [name, values] of given.arrays) expect(stored.arrays.get(name), name).toEqual(values);
    }
    await expectDifferences(built, 3, INPUT, await runOf(built, { engine }), tolerance);
    const own = { h0: weights([B, P], 43), c0: weights([B, H], 44) };
    const wanted = await runOf(plain, { engine, data: { initialState: own } });
    for (const request of [{}, { atLayer: true }]) {
      const overridden = await runOf(built, { engine, request, data: { initialState: own } });
      expect(overridden.arrays.get('h')).toEqual(wanted.arrays.get('h'));
    }
  });

  it('a constant may stand beside the sequence, by the model’s input too', async () => {
    const shift = constant(weights([1, 1, D], 45), 'shift');
    const join = layer('Add', { kind: 'merge', operation: 'add' }, [at(0), at(1)]);
    const built = model([inputLayer, shift, join, recurrentLayer(recurrent(projected), [at(2)])], 'onnx');
    const run = await runOf(built, { engine, request: { wrt: 'model-input' } });
    await expectDifferences(built, 3, INPUT, run, tolerance);
    const moved = INPUT.data.map((value, index) => value + weights([1, 1, D], 45).data[index % D]!);
    const plain = await runOf(above(recurrent(projected)), {
      engine,
      data: { input: { shape: INPUT.shape, data: moved } },
    });
    expect(relativeError(run.arrays.get('h')!, plain.arrays.get('h')!)).toBeLessThan(1e-6);
    const wrong = model([inputLayer, constant(weights([3, 1, D]), 'shift'), join, built.layers[3]!], 'onnx');
    await expect(runOf(wrong, { engine })).rejects.toMatchObject({ code: 'input/shape-mismatch' });
  });

  it('a layer above sees zeros past a stored length', async () => {
    const below = {
      ...recurrent(projected, { sequenceLengths: [T, 4], returnSequences: true, zeroOutputForMask: true }),
    };
    const operation = recurrent(makeCell({ kind: 'GRU', units: 3, inputDim: P, batch: B, steps: T }));
    const built = above(operation, [recurrentLayer(below, [at(0)], 'below')]);
    const { arrays } = await runOf(built, { engine });
    const lower = await runOf(above(below), { engine });
    const [x, h] = [arrays.get('x')!, lower.arrays.get('h')!];
    expect(relativeError(x.slice(0, (T + 4) * P), h.slice(0, (T + 4) * P))).toBeLessThan(1e-6);
    expect(x.slice((T + 4) * P).every((value) => value === 0)).toBe(true);
    expect(h.slice((T + 4) * P).every((value) => value !== 0)).toBe(true);
  });

  it('steps past a stored length carry the state, in both directions', async () => {
    const lengths = [T, 4];
    const operation = recurrent(projected, { backward: cell({ projected: P }), sequenceLengths: lengths });
    const built = above(operation);
    const run = await runOf(built, { engine });
    await expectDifferences(built, 1, INPUT, run, tolerance);
    const short = { shape: [1, 4, D], data: INPUT.data.slice(T * D, (T + 4) * D) };
    const alone = await runOf(above({ ...operation, sequenceLengths: null }), { engine, data: { input: short } });
    const [h, hAlone] = [run.arrays.get('h')!.slice(T * 2 * P), alone.arrays.get('h')!];
    expect(relativeError(h.slice(0, 4 * 2 * P), hAlone)).toBeLessThan(1e-6);
    const [final, finalAlone] = [run.arrays.get('dhT_dx')!.slice(T * 2 * P * D), alone.arrays.get('dhT_dx')!];
    expect(relativeError(final.slice(0, 4 * 2 * P * D), finalAlone)).toBeLessThan(1e-5);
    expect(final.slice(4 * 2 * P * D).every((value) => value === 0)).toBe(true);
    for (let t = 4; t < T; t++) {
      expect(h.slice(t * 2 * P, t * 2 * P + P)).toEqual(h.slice(3 * 2 * P, 3 * 2 * P + P));
      expect(h.slice(t * 2 * P + P, (t + 1) * 2 * P).every((value) => value === 0)).toBe(true);
    }
    const fed = await runOf(built, { engine, request: { atLayer: true } });
    expect(fed.arrays.get('dhT_dx')).toEqual(run.arrays.get('dhT_dx'));
    const wrong = runOf(built, { engine, data: { input: short } });
    await expect(wrong).rejects.toMatchObject({ code: 'input/shape-mismatch' });
  });
});

describe('the summary', () => {
  it('says what the cell does, and why some diagnostics of a projection are null', async () => {
    const { summary } = await runOf(OPERATIONS['a projection']!, { engine: 'reference' });
    expect(summary!.layer).toMatchObject({
      ...{ units: H, outputSize: P, outputActivation: 'tanh', clip: null, peepholes: false, inputForget: false },
    });
    const { diagnostics } = summary!;
    expect(Object.keys(diagnostics.spectralRadius!)).toEqual(['i', 'f', 'g', 'o']);
    for (const map of [diagnostics.spectralRadius!, diagnostics.orthogonalityMargin!, diagnostics.nonNormalPeak!]) {
      expect(Object.values(map)).toEqual([null, null, null, null]);
    }
    expect(Object.values(diagnostics.spectralNorm!).every((value) => value !== null && value > 0)).toBe(true);
    expect(diagnostics.highwayShare!['full']).toBeGreaterThan(0);
    expect(diagnostics.forgetTimescale!.median).toBeGreaterThan(0);
    expect(summary!.warnings.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('from 2 units of h to 5'),
    );
  });

  it('leaves the forget gate’s kernel out where f = 1 - i', async () => {
    const { summary } = await runOf(OPERATIONS['f = 1 - i and an own psi']!, { engine: 'reference' });
    expect(summary!.layer).toMatchObject({ outputActivation: 'affine', inputForget: true });
    const { spectralNorm, spectralRadius } = summary!.diagnostics;
    expect([spectralNorm!['f'], spectralRadius!['f']]).toEqual([null, null]);
    expect(spectralNorm!['i']).toBeGreaterThan(0);
    expect(summary!.warnings.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('forget gate is 1 - i'),
    );
  });

  it('of a plain LSTM has no such warning', async () => {
    const { summary } = await runOf(above(recurrent(lstm(D, H))), { engine: 'reference' });
    expect(summary!.layer).toMatchObject({ units: H, outputSize: H, clip: null, peepholes: false });
    const messages = summary!.warnings.map(({ message }) => message);
    expect(messages.filter((message) => /projection|1 - i/.test(message))).toEqual([]);
  });
});
