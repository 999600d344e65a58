/** D24 from the file to arrays and summary, on every engine, against automatic differentiation by Keras and JAX. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import type { LossName } from '../../src/core/diagnostics/loss';
import { TempogradError } from '../../src/core/errors';
import type { Layer, RecurrentModel } from '../../src/core/model';
import type { LossGradientSummary, Summary } from '../../src/core/summary';
import { makeTensor, type Tensor } from '../../src/core/tensor';
import type { EngineName } from '../../src/engine/engine';
import { RunArrays } from '../../src/export/run-arrays';
import { RunCsv } from '../../src/export/csv';
import { memorySource } from '../../src/readers/byte-source';
import { readArray } from '../../src/readers/read-array';
import { readModel } from '../../src/readers/read-model';
import type { RunRequest } from '../../src/shared/run';
import { ENGINE_NAMES, noise } from '../engine/all-ops';
import { at, layer, model, recurrent, recurrentLayer } from '../engine/model-builder';
import { makeCell } from '../engine/random-cells';
import { makeMemorySink } from '../export/memory-sink';
import { readNpz, type NpyArray } from '../support/read-npz';

const FOLDER = fileURLToPath(new URL('../fixtures/loss', import.meta.url));
const SIGNAL = new AbortController().signal;
const PARAMETERS = ['kernel', 'recurrentKernel', 'bias'] as const;

interface Ended {
  readonly arrays: Map<string, NpyArray>;
  readonly tables: Map<string, string>;
  readonly summary: Summary;
}

async function run(
  built: RecurrentModel,
  engine: EngineName,
  data: { readonly input: Tensor; readonly target: Tensor },
  request: Partial<RunRequest> = {},
): Promise<Ended> {
  const order = {
    model: built,
    source: { format: '', producer: '', path: '', bytes: 0, sha256: '' },
    version: 'test',
    request: {
      ...{ layer: '', wrt: 'layer-input' as const, atLayer: false, maskFile: null, initialStateFile: null },
      input: { kind: 'file' as const, path: 'x', key: null, header: null },
      targetFile: 'target.npy',
      modes: ['states' as const],
      ...{ engine, warmUp: null, span: null, exact: true, maxSeconds: null, maxMemoryBytes: null },
      ...request,
    },
    data: { ...data, mask: null, initialState: null },
  };
  const memory = makeMemorySink();
  const tables = new Map<string, ReturnType<typeof makeMemorySink>>();
  let arrays: RunArrays | null = null;
  let csv: RunCsv | null = null;
  let summary: Summary | null = null;
  for await (const step of analyze(order, SIGNAL)) {
    if (step.event.kind === 'started') {
      arrays = new RunArrays(memory, step.event);
      csv = new RunCsv((name) => {
        const table = makeMemorySink();
        tables.set(name, table);
        return table;
      }, step.event);
    }
    arrays?.add(step);
    for (const _ of csv?.add(step) ?? []);
    if (step.event.kind === 'done') summary = step.event.summary;
  }
  await arrays!.close();
  await csv!.close();
  const text = [...tables].map(([name, table]) => [name, new TextDecoder().decode(table.bytes())] as const);
  return { arrays: readNpz(Buffer.from(memory.bytes())), tables: new Map(text), summary: summary! };
}

async function failureOf(promise: Promise<unknown>): Promise<TempogradError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof TempogradError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

async function arrayOf(path: string): Promise<Tensor> {
  return readArray(memorySource(readFileSync(path)), path, null);
}

function norm(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
}

/** Every term's norm is known; the sum of shares is 1. */
function checkTerms(arrays: Ended['arrays'], suffix: string): void {
  const shares = arrays.get(`loss_gradient_by_lag${suffix}`)!;
  const norms = arrays.get(`lognorm_loss_gradient_by_lag${suffix}`)!;
  expect(norms.shape).toEqual(shares.shape);
  PARAMETERS.forEach((_, column) => {
    const all = Array.from(shares.data as Float64Array).filter((_value, index) => index % 3 === column);
    const total = all.reduce((sum, share) => sum + share, 0);
    const isZero = Array.from(norms.data as Float64Array).every(
      (value, at) => at % 3 !== column || value === -Infinity,
    );
    if (isZero) expect(total).toBeNaN();
    else expect(total).toBeCloseTo(1, 9);
  });
}

const LOSSES: Readonly<Record<string, LossName>> = {
  classifier: 'cross-entropy',
  regressor: 'mse',
  stepwise: 'mae',
  binary: 'binary-cross-entropy',
  'both-ways': 'huber',
};

describe('the fixtures', () => {
  it('are those with a loss each', () => {
    expect(readdirSync(FOLDER).sort()).toEqual(Object.keys(LOSSES).sort());
  });
});

describe.each(ENGINE_NAMES)('the gradient of a loss by lag on %s', (engine) => {
  it.each(Object.keys(LOSSES))(
    '%s: adds up to what automatic differentiation of the whole model gives',
    async (name) => {
      const folder = join(FOLDER, name);
      const built = await readModel(memorySource(readFileSync(join(folder, 'model.keras'))), name);
      const expected = readNpz(readFileSync(join(folder, 'expected.npz')));
      const data = {
        input: await arrayOf(join(folder, 'input.npy')),
        target: await arrayOf(join(folder, 'target.npy')),
      };
      const { arrays, tables, summary } = await run(built, engine, data);
      const found = summary.diagnostics.lossGradient!;
      expect(found.loss).toBe(LOSSES[name]);
      expect(summary.assumptions.find(({ what }) => what === 'loss')).toMatchObject({
        assumed: LOSSES[name],
        change: '--loss',
      });
      // Keras takes some means in float32 whatever its policy is.
      const tolerance = engine === 'reference' ? 2e-7 : 1e-5;
      expect(Math.abs(found.value! / Number(expected.get('loss')!.data[0]) - 1)).toBeLessThan(tolerance);
      expect(Object.keys(found.parameters).sort()).toEqual([...expected.keys()].filter((key) => key !== 'loss').sort());
      for (const [parameter, { norm: got, shares }] of Object.entries(found.parameters)) {
        const wanted = norm(expected.get(parameter)!.data as Float64Array);
        const sum = Object.values(shares).reduce<number>((total, share) => total + (share ?? NaN), 0);
        // At its first step a recurrence multiplies a state of zeros by its recurrent kernel.
        if (wanted === 0) expect([parameter, got, sum]).toEqual(['recurrentKernel_backward', 0, NaN]);
        else {
          expect(Math.abs(got! / wanted - 1), parameter).toBeLessThan(tolerance);
          expect(sum).toBeCloseTo(1, 9);
        }
      }
      const suffixes = name === 'regressor' || name === 'both-ways' ? ['_forward', '_backward'] : [''];
      for (const suffix of suffixes) {
        expect(arrays.get(`loss_gradient_by_lag${suffix}`)!.shape).toEqual([3, 12, 3]);
        checkTerms(arrays, suffix);
      }
      const rows = tables.get('loss_gradient_by_lag.csv')!.trim().split('\n');
      expect(rows[0]).toBe('sequence,lag,parameter,direction,lognorm,share');
      expect(rows.length).toBe(1 + suffixes.length * 3 * 12 * 3);
    },
  );
});

/** The layer between an input and what stands above. */
function withHead(returnSequences: boolean, above: readonly Layer[], isBidirectional = false): RecurrentModel {
  const cell = () => makeCell({ kind: 'LSTM', units: 3, inputDim: 2, batch: 2, steps: 6 });
  const backward = isBidirectional ? { backward: cell() } : {};
  const operation = { ...recurrent(cell(), backward), returnSequences };
  const input = layer('InputLayer', { kind: 'input', shape: [null, 2], integer: false }, []);
  return model([input, recurrentLayer(operation, [at(0)]), ...above], 'onnx');
}

const DATA = {
  input: makeTensor([2, 6, 2], Float64Array.from(noise(24, 3))),
  target: makeTensor([2, 3], Float64Array.from(noise(6, 4))),
};

describe('what stands between a layer and its loss', () => {
  const slice = (start: number, drop = true) =>
    layer('Slice', { kind: 'slice', axis: 1, slice: { start, end: start + 1, step: 1 }, drop }, [at(1)]);

  it('may be nothing at all, or a step that is taken out', async () => {
    const plain = await run(withHead(false, []), 'reference', DATA);
    const found = plain.summary.diagnostics.lossGradient!;
    expect(found.head).toEqual([]);
    expect(plain.summary.assumptions.map(({ what }) => what)).toEqual(['loss']);
    const taken = await run(withHead(true, [slice(5)]), 'reference', DATA);
    expect(taken.summary.diagnostics.lossGradient!.parameters).toEqual(found.parameters);
    const flat = layer('Flatten', { kind: 'flatten' }, [at(2)]);
    const kept = await run(withHead(true, [slice(5, false), flat]), 'reference', DATA);
    expect(kept.summary.diagnostics.lossGradient!.parameters).toEqual(found.parameters);
  });

  it('an earlier step has no terms from behind it, and the backward half at the last step is its first', async () => {
    const early = await run(withHead(true, [slice(2)]), 'reference', DATA);
    const norms = early.arrays.get('lognorm_loss_gradient_by_lag')!.data as Float64Array;
    expect(Array.from({ length: 6 }, (_, lag) => Number.isFinite(norms[3 * lag]))).toEqual([
      ...[true, true, true, false, false, false],
    ]);
    const data = { ...DATA, target: makeTensor([2, 6], Float64Array.from(noise(12, 5))) };
    const { arrays } = await run(withHead(true, [slice(5)], true), 'reference', data);
    const reach = ['forward', 'backward'].map((direction) => {
      const found = arrays.get(`lognorm_loss_gradient_by_lag_${direction}`)!.data as Float64Array;
      return Array.from({ length: 6 }, (_, lag) => Number.isFinite(found[3 * lag])).filter(Boolean).length;
    });
    expect(reach).toEqual([6, 1]);
  });

  it('of a model that answers at every step, the last one counts and that is said', async () => {
    const { summary } = await run(withHead(true, []), 'reference', DATA);
    expect(summary.assumptions.map(({ what }) => what)).toEqual(['loss', 'step of the loss']);
  });

  it('takes the loss that is asked for, class ids too', async () => {
    const target = makeTensor([2], Float64Array.of(2, 0));
    const { summary } = await run(withHead(false, []), 'reference', { ...DATA, target }, { loss: 'cross-entropy' });
    const found: LossGradientSummary = summary.diagnostics.lossGradient!;
    expect(found.loss).toBe('cross-entropy');
    expect(summary.assumptions.map(({ what }) => what)).toEqual(['output of the model']);
  });

  it.each<readonly [string, readonly Layer[], RegExp]>([
    [
      'another recurrence',
      [recurrentLayer(recurrent(makeCell({ kind: 'GRU', units: 2, inputDim: 3, batch: 2, steps: 6 })), [at(1)])],
      /another recurrent layer/,
    ],
    [
      'pooling',
      [layer('MaxPooling1D', { kind: 'pool1d', pooling: 'max', size: 2, stride: 2, padding: 'valid' }, [at(1)])],
      /MaxPooling1D.*mixes steps/,
    ],
    ['flattened steps', [layer('Flatten', { kind: 'flatten' }, [at(1)])], /Flatten.*mixes steps and units/],
    ['another branch', [layer('Add', { kind: 'merge', operation: 'add' }, [at(1), at(0)])], /joins what does not come/],
    ['unknown', [layer('Attention', { kind: 'unsupported', reason: 'no' }, [at(1)])], /Attention/],
    [
      'two outputs',
      [layer('Dropout', { kind: 'identity' }, [at(1)]), layer('Dropout', { kind: 'identity' }, [at(1)])],
      /2 outputs/,
    ],
  ])('%s is named and refused', async (_, above, words) => {
    const error = await failureOf(run(withHead(true, above), 'reference', DATA));
    expect(error.code).toBe('cell/unsupported');
    expect(error.message).toMatch(words);
  });

  it('is not known for weights alone', async () => {
    const bare = { ...withHead(false, []), inputs: [] };
    const error = await failureOf(run(bare, 'reference', DATA));
    expect([error.code, error.message]).toEqual(['cell/unsupported', expect.stringContaining('does not say')]);
  });

  it('refuses targets of another shape, ids that are none, NaN, and a loss that is not known', async () => {
    const built = withHead(false, []);
    const codeOf = async (target: Tensor, request: Partial<RunRequest> = {}, other = built) =>
      (await failureOf(run(other, 'reference', { ...DATA, target }, request))).code;
    expect(await codeOf(makeTensor([2, 4], new Float64Array(8)))).toBe('input/shape-mismatch');
    expect(await codeOf(makeTensor([2], new Float64Array(2)))).toBe('input/shape-mismatch');
    expect(await codeOf(makeTensor([2], Float64Array.of(0, 3)), { loss: 'cross-entropy' })).toBe(
      'input/shape-mismatch',
    );
    expect(await codeOf(makeTensor([2, 3], new Float64Array(6).fill(NaN)))).toBe('input/not-finite');
    expect(await codeOf(DATA.target, {}, { ...built, trainingLoss: 'CTC' })).toBe('usage/bad-option');
  });
});
