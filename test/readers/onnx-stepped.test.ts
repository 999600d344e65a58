import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import { isRecurrent, type CellDescription, type RecurrentModel } from '../../src/core/model';
import { memorySource } from '../../src/readers/byte-source';
import { describeModel } from '../../src/readers/describe-model';
import { weightInfos } from '../../src/readers/dialects/onnx/decomposed/weight-roles';
import { readModel } from '../../src/readers/read-model';

function bytesOf(name: string): Uint8Array {
  return readFileSync(`test/fixtures/onnx/${name}/model.onnx`);
}

function read(name: string): Promise<RecurrentModel> {
  return readModel(memorySource(bytesOf(name)), 'model.onnx');
}

describe('cells stepped by plain operators', () => {
  it('of two levels stand on one another', async () => {
    const { layers } = await read('loop-lstm-two-levels');
    const [lower, upper] = layers.filter(isRecurrent);
    expect([lower?.name, upper?.name]).toEqual(['stepper.cell0', 'stepper.cell1']);
    expect(upper?.inputs).toEqual([{ layer: layers.indexOf(lower!), output: 0 }]);
    expect(lower?.inputs.map(({ layer }) => layers[layer]?.name)).toEqual(['X']);
  });

  it('are said to be taken for what their equations are', async () => {
    const { assumptions } = await read('scan-gru-inverse');
    expect(assumptions).toContainEqual(expect.objectContaining({ what: 'cell of stepper', assumed: 'GRU' }));
  });

  it('stand on what is computed before the loop', async () => {
    const { layers } = await read('scan-lstm-fed');
    expect(layers.find(isRecurrent)?.inputs.map(({ layer }) => layers[layer]?.name)).toEqual(['fed']);
  });

  it('start from stored states only where these are not zero', async () => {
    const started = (await read('scan-lstm-initial-state')).layers.find(isRecurrent);
    expect(started?.operation.initialState).toHaveLength(2);
    expect((await read('scan-lstm')).layers.find(isRecurrent)?.operation.initialState).toEqual([]);
  });

  it('with a projection feed one another with fewer units', async () => {
    const { layers } = await read('loop-lstm-projected-two-levels');
    const [lower, upper] = layers.filter(isRecurrent);
    expect(lower?.operation.forward).toMatchObject({ units: 4, inputDim: 3, projection: { shape: [4, 2] } });
    expect(upper?.operation.forward).toMatchObject({ units: 4, inputDim: 2, projection: { shape: [4, 2] } });
    expect(upper?.inputs).toEqual([{ layer: layers.indexOf(lower!), output: 0 }]);
  });

  it.each(['scan-one-state', 'loop-one-state', 'scan-one-state-sliced', 'loop-one-state-stacked'])(
    'carry h and c in one state: %s',
    async (name) => {
      const { layers, assumptions } = await read(name);
      const cell = layers.find(isRecurrent);
      expect(cell?.operation.forward).toMatchObject({ kind: 'LSTM', units: 4, inputDim: 3 });
      expect(cell?.operation.initialState.map(({ layer }) => layers[layer]?.operation.kind)).toEqual([
        'constant',
        'constant',
      ]);
      expect(assumptions.filter(({ what }) => what.startsWith('initial state'))).toEqual([]);
    },
  );

  it('that are none of the known ones are described', async () => {
    const { layers } = await read('loop-odd');
    expect(layers.filter(isRecurrent)).toEqual([]);
    expect(layers.find(({ name }) => name === 'stepper')?.operation).toEqual({
      kind: 'unsupported',
      reason: 'Layer stepper: its body computes step by step, but is none of the cells that are known.',
    });
  });

  it.each(['loop-lstm-counter', 'scan-gru-before', 'scan-lstm-peepholes', 'loop-gru-after', 'scan-one-state-sliced'])(
    'changed by a byte in %s end in a model or an error of the list',
    async (name) => {
      const whole = bytesOf(name);
      for (let index = 0; index < whole.length; index += 3) {
        const changed = Uint8Array.from(whole);
        changed[index] = (changed[index]! + 1 + (index % 200)) & 0xff;
        const result = await readModel(memorySource(changed), 'model.onnx').catch((error: unknown) => error);
        if (result instanceof Error && !(result instanceof TempogradError)) throw result;
      }
      expect(whole.length).toBeGreaterThan(500);
    },
  );
});

describe('models as exporters write them', () => {
  it.each([
    ['torch-tagger', ['x', '/embed/Gather', '/rnn/LSTM', '/rnn/LSTM_1']],
    ['torch-levels', ['x', '/into/MatMul', '/into/Add', '/norm/LayerNormalization', '/Tanh', '/rnn/RNN', '/rnn/RNN_1']],
    ['torch-stepped', ['x', '/Loop']],
  ])('%s has no layers for what makes zero states', async (name, layers) => {
    const model = await read(name);
    expect(model.layers.map((layer) => layer.name)).toEqual(layers);
    expect(model.assumptions.filter(({ what }) => what.startsWith('initial state'))).toEqual([]);
  });
});

describe('loops of tf2onnx', () => {
  it('carry their weights as states, and say that a mask is left out', async () => {
    const { layers, assumptions } = await read('keras-loop-masked');
    const loop = layers.find(isRecurrent);
    expect(loop?.operation.forward).toMatchObject({ kind: 'LSTM', units: 3, inputDim: 3 });
    expect(loop?.operation.initialState).toEqual([]);
    expect(assumptions).toContainEqual(
      expect.objectContaining({ what: `mask of ${loop!.name}`, assumed: 'every step counts', change: '--mask' }),
    );
  });

  it('take gates by slices of all axes, of which the others must be whole', async () => {
    const bytes = Uint8Array.from(bytesOf('keras3-loop-gru'));
    const end = Buffer.from(BigInt64Array.of(2147483647n, 3n).buffer);
    const at = Buffer.from(bytes.buffer).indexOf(end);
    expect(at).toBeGreaterThan(0);
    bytes.set(new Uint8Array(BigInt64Array.of(1n, 3n).buffer), at);
    const { layers } = await readModel(memorySource(bytes), 'model.onnx');
    expect(layers.filter(isRecurrent)).toEqual([]);
  });

  it('bound their gates by Min and Max', async () => {
    const { layers } = await read('keras-loop-gru-hard');
    const { recurrentActivation } = layers.find(isRecurrent)!.operation.forward as { recurrentActivation: unknown };
    expect(recurrentActivation).toEqual({ name: 'hard_sigmoid', slope: Math.fround(0.2), offset: 0.5 });
  });
});

describe('weights of cells stepped by plain operators', () => {
  async function described(name: string) {
    const ranges: { readonly name: string; readonly range: readonly number[] }[] = [];
    const model = await readModel(memorySource(bytesOf(name)), 'model.onnx', {
      onTensor: (tensor, { data }) => ranges.push({ name: tensor.name, range: [Math.min(...data), Math.max(...data)] }),
    });
    return { layers: describeModel(model).layers.filter(({ kind }) => kind !== null), ranges };
  }

  it.each([
    ['keras3-loop-gru', ['recurrent_kernel zrn', 'kernel zrn', 'bias zrn', 'bias zrn']],
    ['keras3-loop-gru-before', ['kernel zrn', 'bias zrn', 'recurrent_kernel zr', 'recurrent_kernel n']],
    ['keras3-loop-gru-both-ways', ['recurrent_kernel zrn', 'kernel zrn', 'bias zrn', 'bias zrn']],
    ['keras3-loop-gru-masked', ['recurrent_kernel zrn', 'kernel zrn', 'bias zrn', 'bias zrn']],
    ['keras3-loop-gru-no-bias', ['recurrent_kernel zrn', 'kernel zrn']],
    ['keras3-loop-rnn', ['recurrent_kernel h', 'kernel h', 'bias h']],
    ['loop-rnn-relu', ['kernel h', 'bias h', 'recurrent_kernel h', 'bias h']],
    ['scan-lstm-projected', ['kernel ifgo', 'bias ifgo', 'recurrent_kernel ifgo', 'bias ifgo', 'projection h']],
    [
      'loop-gru-before',
      ['z', 'r', 'n'].flatMap((gate) => ['kernel', 'recurrent_kernel', 'bias'].map((role) => `${role} ${gate}`)),
    ],
  ])('%s: each has its role, and the statistics of its own numbers', async (name, roles) => {
    const { layers, ranges } = await described(name);
    expect(layers.length).toBeGreaterThan(0);
    for (const { weights } of layers) {
      expect(weights.map(({ role, gates }) => `${role} ${Object.keys(gates ?? {}).join('')}`).sort()).toEqual(
        [...roles].sort(),
      );
      for (const { name: tensor, gates } of weights) {
        const all = Object.values(gates ?? {});
        const range = [Math.min(...all.map(({ min }) => min!)), Math.max(...all.map(({ max }) => max!))];
        expect(ranges).toContainEqual({ name: tensor, range });
      }
    }
  });

  it('that are no gates of the cell have no role', async () => {
    const { layers } = await described('scan-lstm-input-forget');
    expect(layers[0]?.weights.map(({ role, gates }) => [role, gates])).toEqual(Array(4).fill(['other', null]));
  });

  it('that are all zero are told by their shape', async () => {
    const model = await read('keras3-loop-gru');
    const { forward } = model.layers.find(isRecurrent)!.operation;
    const zeros = (name: string) => ({
      stored: { name, shape: [9], dtype: 'float32', read: () => Promise.reject(new Error('not asked for')) },
      values: { shape: [9], data: new Float32Array(9) },
    });
    const cell = { ...forward!, bias: { shape: [2, 9], data: new Float64Array(18) } } as CellDescription;
    const infos = weightInfos([zeros('a'), zeros('b')], cell);
    expect(infos.map(({ role, name }) => [role, name])).toEqual([
      ['bias', 'a'],
      ['bias', 'b'],
    ]);
  });
});

it('a model without anything recurrent is told by its nodes', async () => {
  const bytes = readFileSync('test/fixtures/bad-onnx-bytes/no-recurrent/model.onnx');
  const { layers } = await readModel(memorySource(bytes), 'model.onnx');
  expect(layers.map(({ className }) => className)).toEqual(['Relu']);
  expect(layers.map(({ operation }) => operation.kind)).toEqual(['unsupported']);
});

it('recurrences written out feed one another', async () => {
  const { layers } = await read('torch-unrolled-levels');
  const [lower, upper] = layers.filter(isRecurrent);
  expect([lower?.name, upper?.name]).toEqual(['unrolled_0', 'unrolled_1']);
  expect([lower?.operation.forward?.kind, upper?.operation.forward?.kind]).toEqual(['LSTM', 'GRU']);
  expect(upper?.inputs).toEqual([{ layer: layers.indexOf(lower!), output: 0 }]);
});

it('a recurrence written out that no constant starts is said to start from zeros', async () => {
  const { assumptions } = await read('torch-unrolled-whole');
  expect(assumptions).toContainEqual(
    expect.objectContaining({ what: 'initial state of unrolled_0', assumed: 'zeros', change: '--initial-state' }),
  );
});
