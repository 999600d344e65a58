/** The ONNX project's own cases: recorded outputs of RNN, GRU and LSTM nodes, every engine within 1e-5. */
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import type { RealTensor } from '../../src/core/tensor';
import { memorySource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';
import type { RunRequest } from '../../src/shared/run';
import { collectRun } from '../support/collect-run';
import { backendCaseNames, loadBackendCase } from '../support/onnx-backend';

/** The first two axes of `[T, B, D]` exchanged. */
function swapFront({ shape, data }: RealTensor): RealTensor {
  const [first = 0, second = 0, ...rest] = shape;
  const size = data.length / (first * second);
  const swapped = Float64Array.from(data, (_, index) => {
    const [row, at] = [Math.floor(index / size), index % size];
    return data[((row % first) * second + Math.floor(row / first)) * size + at]!;
  });
  return { shape: [second, first, ...rest], data: swapped };
}

function request(engine: RunRequest['engine']): RunRequest {
  return {
    layer: '0',
    wrt: 'layer-input',
    atLayer: true,
    input: { kind: 'file', path: 'input.npy', key: null, header: null },
    maskFile: null,
    initialStateFile: null,
    modes: ['states'],
    engine,
    warmUp: null,
    span: null,
    exact: true,
    maxSeconds: null,
    maxMemoryBytes: null,
  };
}

describe('the backend cases of ONNX', () => {
  it.each(backendCaseNames())('%s', async (name) => {
    const { model: bytes, x, outputs } = await loadBackendCase(name);
    const model = await readModel(memorySource(bytes), 'model.onnx');
    const found = model.layers.findIndex(({ operation }) => operation.kind === 'recurrent');
    expect(found).toBeGreaterThanOrEqual(0);
    const layer = model.layers[found]!;
    const batchFirst = name.endsWith('_batchwise');
    const input = batchFirst ? x : swapFront(x);
    const [batch = 0, steps = 0] = input.shape;
    for (const engine of ['reference', 'tensorflow', 'wasm'] as const) {
      const source = { format: 'onnx', producer: '', path: 'model.onnx', bytes: 0, sha256: '' };
      const run = analyze(
        {
          model,
          source,
          version: 'test',
          request: { ...request(engine), layer: layer.name },
          data: { input, mask: null, initialState: null },
        },
        new AbortController().signal,
      );
      const h = (await collectRun(run)).arrays.get('h')!;
      const units = h.length / (batch * steps);
      const last = Array.from({ length: batch * units }, (_, index) => {
        const [row, unit] = [Math.floor(index / units), index % units];
        return h[(row * steps + steps - 1) * units + unit]!;
      });
      const wanted = [...outputs].find(([output]) => output === 'Y_h')![1];
      expect(wanted.data.length).toBe(last.length);
      for (const [index, value] of last.entries()) expect(value).toBeCloseTo(wanted.data[index]!, 5);
    }
  });

  it('says of weights that are fed that the file does not store them', async () => {
    const { bare } = await loadBackendCase('test_lstm_defaults');
    const model = await readModel(memorySource(bare), 'model.onnx');
    const [reason] = model.layers.flatMap(({ operation }) =>
      operation.kind === 'unsupported' ? [operation.reason] : [],
    );
    expect(reason).toContain('is an input of the graph');
  });
});
