import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import { runReaderJob } from '../../src/host/reader-job';
import { NO_READER_OPTIONS, type ReadModelResult } from '../../src/host/reader-messages';
import { memorySource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';
import { isKeras3, weightsOf } from '../../src/readers/dialects/tensorflow/checkpoint-names';
import { limitsOfReading } from '../../src/readers/limits';
import { isOptimizerSlot } from '../../src/readers/dialects/optimizer-names';
import type { StoredTensor } from '../../src/readers/stored-tensor';

const FOLDER = 'test/fixtures/trained';
const expected = JSON.parse(readFileSync(`${FOLDER}/expected.json`, 'utf8')) as Record<
  string,
  { layer: string; kernel: number[] }
>;

async function open(path: string): Promise<RecurrentModel> {
  const job = { kind: 'model', path, options: NO_READER_OPTIONS, describe: false, hash: false } as const;
  return ((await runReaderJob(job, () => undefined)) as ReadModelResult).model!;
}

describe('a checkpoint written after training', () => {
  it.each(Object.entries(expected))('%s has the layer of the model alone', async (file, { layer, kernel }) => {
    const model = await open(`${FOLDER}/${file}`);
    const recurrent = model.layers.filter(isRecurrent);
    expect(recurrent.map(({ name }) => name)).toEqual([layer]);
    expect([...recurrent[0]!.operation.forward!.kernel.data]).toEqual(kernel);
    expect(model.layers.map(({ name }) => name).filter((name) => /adam|sgd|velocity|momentum/i.test(name))).toEqual([]);
  });

  it.each(['keras3', 'tfkeras'])('of %s reads with the description of its model', async (tag) => {
    const name = `${tag}-with-optimizer.index`;
    const source = (file: string): ReturnType<typeof memorySource> =>
      memorySource(readFileSync(`${FOLDER}/${file === 'architecture.json' ? `${tag}-${file}` : file}`));
    const model = await readModel(source(name), name, {
      openBeside: (file) => (/^(architecture\.json|.*\.data-.*)$/.test(file) ? source(file) : null),
    });
    expect(model.layers.filter(isRecurrent).map((layer) => layer.name)).toEqual(['memory']);
    expect(model.layers.some(({ className }) => className === 'Dense')).toBe(true);
    expect(model.assumptions.map(({ what }) => what)).toEqual(['architecture']);
  });
});

describe('names alone', () => {
  const named = (names: readonly string[]): ReadonlyMap<string, StoredTensor> =>
    new Map(
      names.map((name) => [
        name,
        { name, shape: [2, 8], dtype: 'float32', read: () => Promise.reject(new Error('not to be read')) },
      ]),
    );

  it('tell the slots of optimizers from weights', () => {
    const weights = ['lstm/kernel', 'lstm/recurrent_kernel', 'Adam_model/lstm/kernel'];
    const slots = ['Adam', 'Adam_1', 'Momentum', 'RMSProp', 'RMSProp_1', 'ExponentialMovingAverage'];
    const others = ['Adam/m/lstm/kernel', 'training/Adam/lstm/kernel/m', 'beta1_power', 'training/Adagrad/lstm/kernel'];
    const all = named([...weights, ...slots.map((slot) => `lstm/kernel/${slot}`), ...others]);
    expect(weightsOf(all, [], limitsOfReading()).map(({ name }) => name)).toEqual(weights);
  });

  it.each(['Adam/m/lstm/kernel', 'adam/lstm_lstm_cell_kernel_velocity', 'opt_state/0/mu/lstm/kernel'])(
    '%s is an optimizer’s',
    (name) => {
      expect(isOptimizerSlot(name)).toBe(true);
    },
  );

  it.each(['adam/lstm/kernel', 'momentum/lstm/kernel', 'optimizer/lstm/kernel', 'lstm/adam_kernel'])(
    '%s may be a weight',
    (name) => {
      expect(isOptimizerSlot(name)).toBe(false);
    },
  );

  it('without objects are not those of Keras 3', () => {
    expect(isKeras3([])).toBe(false);
  });
});
