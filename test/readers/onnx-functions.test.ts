import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import { memorySource } from '../../src/readers/byte-source';
import type { ReadLimits } from '../../src/readers/limits';
import { readModel } from '../../src/readers/read-model';

function read(path: string, limits: Partial<ReadLimits> = {}): Promise<RecurrentModel> {
  return readModel(memorySource(readFileSync(`test/fixtures/${path}`)), 'model.onnx', { limits });
}

describe('functions of an ONNX model', () => {
  it('give layers the names of their calls', async () => {
    const { layers } = await read('onnx/functions-called-twice/model.onnx');
    const names = ['X', 'bend/Tanh_0', 'bend/Add_0', 'Bend/Tanh_0', 'Bend/Add_0', 'cell'];
    expect(layers.map(({ name }) => name)).toEqual(names);
    expect(layers.at(-1)?.inputs.map(({ layer }) => layers[layer]?.name)).toEqual(['Bend/Add_0']);
  });

  it('take attributes of the call, and leave out those that the call leaves out', async () => {
    const { layers } = await read('onnx/functions-operator/model.onnx');
    expect(layers.find(isRecurrent)?.operation.forward).toMatchObject({ units: 4, clip: null });
  });

  it('are put in one after another where exporters call one for each step', async () => {
    const { layers, assumptions } = await read('onnx/functions-unrolled/model.onnx');
    expect(layers.filter(isRecurrent).map(({ name }) => name)).toEqual(['unrolled_0']);
    expect(assumptions.filter(({ what }) => what.startsWith('initial state'))).toEqual([]);
  });

  it('that give what they are given connect what is above with what is below', async () => {
    const { layers } = await read('bad-onnx/functions-passing.onnx');
    expect(layers.find(isRecurrent)?.inputs.map(({ layer }) => layers[layer]?.name)).toEqual(['X']);
  });

  it('that are not there are told below the layer', async () => {
    const { layers } = await read('bad-onnx/functions-missing.onnx');
    expect(layers.find(({ className }) => className === 'f0')?.operation).toMatchObject({ kind: 'unsupported' });
  });

  it('may grow so far as the limit says', async () => {
    const path = 'onnx/functions-unrolled/model.onnx';
    await expect(read(path, { maxInlinedNodes: 50 })).rejects.toMatchObject({ code: 'reader/limit-exceeded' });
    await expect(read(path, { maxNameBytes: 50 })).rejects.toMatchObject({ code: 'reader/limit-exceeded' });
  });
});
