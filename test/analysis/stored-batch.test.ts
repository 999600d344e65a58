/** Files that store initial states or lengths for two sequences. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import { memorySource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';
import { runRequestSchema, type RunRequest } from '../../src/shared/run';
import type { RunData } from '../../src/analysis/size-run';
import type { Summary } from '../../src/core/summary';

const NO_FILES: RunData = { input: null, mask: null, initialState: null };

function requestOf(input: RunRequest['input'], atLayer: boolean): RunRequest {
  const rest = { maskFile: null, initialStateFile: null, warmUp: null, span: null, maxSeconds: null };
  const modes = ['states'];
  const request = { layer: '', wrt: 'layer-input', atLayer, input, modes, engine: 'reference', exact: false, ...rest };
  return runRequestSchema.parse({ ...request, maxMemoryBytes: null });
}

async function run(name: string, request: RunRequest, data: RunData = NO_FILES): Promise<Summary> {
  const bytes = readFileSync(`test/fixtures/onnx/${name}/model.onnx`);
  const model = await readModel(memorySource(bytes), 'model.onnx');
  const source = { format: 'onnx', producer: '', path: 'model.onnx', bytes: bytes.length, sha256: '' };
  const order = { model, source, version: 'test', request, data };
  for await (const { event } of analyze(order, new AbortController().signal)) {
    if (event.kind === 'done') return event.summary;
  }
  throw new Error('the run did not end');
}

const random = (batch: number | null): RunRequest['input'] => ({ kind: 'random', steps: 5, batch, seed: 0 });

describe.each(['gru-initial-state', 'lstm-lengths', 'rnn-lengths-bidirectional', 'scan-lstm-initial-state'])(
  '%s',
  (name) => {
    it.each([true, false])('takes the stored number of sequences, at the layer: %s', async (atLayer) => {
      const { run: sizes, assumptions } = await run(name, requestOf(random(null), atLayer));
      expect(sizes.batch).toBe(2);
      expect(assumptions).toContainEqual(
        expect.objectContaining({ what: 'sequences of the input', assumed: '2', change: '--batch' }),
      );
    });

    it('refuses another number that is asked for', async () => {
      await expect(run(name, requestOf(random(3), true))).rejects.toMatchObject({
        code: 'input/shape-mismatch',
        message: expect.stringContaining('for 2 sequences, the input has 3 sequences') as string,
        remedy: expect.stringContaining('--batch 2') as string,
      });
    });

    it('refuses a file of another number', async () => {
      const file = requestOf({ kind: 'file', path: 'x.npy', key: null, header: null }, true);
      const input = { shape: [1, 5, 3], data: new Float32Array(15) };
      await expect(run(name, file, { ...NO_FILES, input })).rejects.toMatchObject({
        code: 'input/shape-mismatch',
        details: { actual: 1, expected: 2 },
      });
    });
  },
);

it('a model that stores nothing of the kind gets one sequence', async () => {
  const { run: sizes, assumptions } = await run('lstm-plain', requestOf(random(null), false));
  expect(sizes.batch).toBe(1);
  expect(assumptions.filter(({ what }) => what === 'sequences of the input')).toEqual([]);
});

it('a user’s own initial state for three sequences takes the place of a stored one for two', async () => {
  const h0 = { shape: [3, 4], data: new Float32Array(12) };
  const summary = await run('gru-initial-state', requestOf(random(3), true), {
    ...NO_FILES,
    initialState: { h0, c0: null },
  });
  expect(summary.run.batch).toBe(3);
});
