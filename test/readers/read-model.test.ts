import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import { memorySource, type ByteSource } from '../../src/readers/byte-source';
import { describeModel } from '../../src/readers/describe-model';
import { readModel } from '../../src/readers/read-model';
import { openZip } from '../../src/readers/containers/zip';
import { DEFAULT_LIMITS } from '../../src/readers/limits';
import { writeZip } from './containers/write-zip';

const KERAS = 'test/fixtures/keras';

function bytesOf(path: string): ByteSource {
  return memorySource(readFileSync(`${KERAS}/${path}`));
}

/** A folder whose files are asked for by name, and the names that were asked for. */
function folderOf(files: Readonly<Record<string, ByteSource>>): {
  open: (name: string) => ByteSource | null;
  asked: string[];
} {
  const asked: string[] = [];
  return {
    asked,
    open: (name) => {
      asked.push(name);
      return files[name] ?? null;
    },
  };
}

function recurrentNames(model: RecurrentModel): readonly string[] {
  return model.layers.filter(isRecurrent).map(({ name }) => name);
}

function text(value: unknown): ByteSource {
  return memorySource(Buffer.from(JSON.stringify(value)));
}

describe('an architecture beside weights', () => {
  const weights = 'tfkeras-architecture-beside/model-weights.h5';
  const architecture = bytesOf('tfkeras-architecture-beside/architecture.json');

  it('is used, and said', async () => {
    const { open } = folderOf({ 'architecture.json': architecture });
    const model = await readModel(bytesOf(weights), 'model-weights.h5', { openBeside: open });
    expect(model.inputs.length).toBe(1);
    expect(model.assumptions).toContainEqual(
      expect.objectContaining({ what: 'architecture', assumed: 'architecture.json' }),
    );
  });

  it('may be called as the weights are', async () => {
    const { open } = folderOf({ 'net.json': architecture });
    expect((await readModel(bytesOf(weights), 'net.weights.h5', { openBeside: open })).inputs.length).toBe(1);
  });

  it('is left alone where it describes another model, is damaged, or is something else', async () => {
    const config = JSON.parse(readFileSync(`${KERAS}/tfkeras-architecture-beside/architecture.json`, 'utf8')) as {
      config: { layers: { name: string }[] };
    };
    for (const layer of config.config.layers) layer.name += '_other';
    for (const other of [
      text(config),
      memorySource(Buffer.from('{"class_name": ')),
      text({ dependencies: {} }),
      text(3),
    ]) {
      const { open } = folderOf({ 'model.json': other });
      const model = await readModel(bytesOf(weights), 'net.h5', { openBeside: open });
      expect(model.inputs).toEqual([]);
      expect(recurrentNames(model)).toEqual(['memory']);
    }
  });

  it('is not looked for when the file describes itself', async () => {
    const { open, asked } = folderOf({});
    await readModel(bytesOf('tfkeras-lstm-h5/model.h5'), 'model.h5', { openBeside: open });
    await readModel(bytesOf('keras3-lstm/model.keras'), 'model.keras', { openBeside: open });
    expect(asked).toEqual([]);
  });
});

describe('weights in shards', () => {
  const index = bytesOf('keras3-sharded/model.weights.json');
  const shard = bytesOf('keras3-sharded/model_00000.weights.h5');

  it('are read together', async () => {
    const { open } = folderOf({ 'model_00000.weights.h5': shard });
    const model = await readModel(index, 'model.weights.json', { openBeside: open });
    expect(recurrentNames(model)).toEqual(['memory']);
  });

  it('are named where one is missing', async () => {
    await expect(readModel(index, 'model.weights.json')).rejects.toMatchObject({
      code: 'reader/external-data-missing',
      details: { file: 'model_00000.weights.h5' },
    });
  });

  it.each(['../other.h5', '/etc/passwd', 'a\\b', '..', 'C:x', '', 3, null])(
    'never come from the path %j',
    async (name) => {
      const { open, asked } = folderOf({});
      const task = readModel(text({ weight_map: { '/layers/lstm/cell/vars': [name] } }), 'x.json', {
        openBeside: open,
      });
      await expect(task).rejects.toMatchObject({ code: 'reader/unsafe' });
      expect(asked).toEqual([]);
    },
  );
});

describe('readModel', () => {
  it('says of an architecture alone that its weights are missing', async () => {
    const task = readModel(bytesOf('tfkeras-architecture-beside/architecture.json'), 'architecture.json');
    await expect(task).rejects.toMatchObject({ code: 'reader/external-data-missing' });
  });

  it('lists what it assumes of weights alone, with the option that changes it', async () => {
    const source = bytesOf('tfkeras-weights-h5-lstm/model-weights.h5');
    const usual = await readModel(source, 'w.h5');
    expect(usual.assumptions.map(({ assumed, change }) => [assumed, change])).toEqual(
      expect.arrayContaining([
        ['tanh', '--activation'],
        ['sigmoid', '--recurrent-activation'],
      ]),
    );
    const changed = await readModel(source, 'w.h5', { activation: 'relu', recurrentActivation: 'hard_sigmoid' });
    const [layer] = changed.layers.filter(isRecurrent);
    expect(layer?.operation.forward).toMatchObject({
      activation: { name: 'relu' },
      recurrentActivation: { name: 'hard_sigmoid', slope: 0.2 },
    });
    const left = changed.assumptions.map(({ change }) => change);
    expect(left).not.toContain('--activation');
    expect(left).not.toContain('--recurrent-activation');
  });

  it('says once that dropout is off', async () => {
    const model = await readModel(bytesOf('keras3-lstm-dropout/model.keras'), 'model.keras');
    expect(model.assumptions.filter(({ what }) => /dropout/.test(what)).length).toBe(1);
  });

  it('keeps the states of an encoder for its decoder', async () => {
    const model = await readModel(bytesOf('keras3-encoder-decoder/model.keras'), 'model.keras');
    const decoder = model.layers.filter(isRecurrent).find(({ name }) => name === 'decoder')!;
    const encoder = model.layers.findIndex(({ name }) => name === 'encoder');
    expect(decoder.operation.initialState).toEqual([
      { layer: encoder, output: 1 },
      { layer: encoder, output: 2 },
    ]);
  });

  it('gives a layer that is called twice two places on the same tensors', async () => {
    const model = await readModel(bytesOf('tfkeras-shared-layer/model.h5'), 'model.h5');
    const calls = model.layers.filter(isRecurrent);
    const second = calls.find(({ name }) => name.endsWith('#2'))!;
    const first = calls.find(({ name }) => name === second.name.slice(0, -2))!;
    expect(second.operation.forward).toBe(first.operation.forward);
    expect(second.inputs).not.toEqual(first.inputs);
  });

  it('expands stacked cells and keeps each one its tensors', async () => {
    const model = await readModel(bytesOf('keras3-cells-mixed-second/model.h5'), 'model.h5');
    const listed = describeModel(model).layers.filter(({ name }) => name.includes('.cell'));
    expect(listed.length).toBe(2);
    for (const { weights, units, inputDim } of listed) {
      expect(weights[0]!.shape[0]).toBe(inputDim);
      expect(weights[1]!.shape[0]).toBe(units);
    }
  });

  it('refers to earlier layers only', async () => {
    for (const path of [
      'keras3-nested-twice/model.keras',
      'keras3-branches-add/model.h5',
      'tfkeras-shared-layer/model.h5',
    ]) {
      const model = await readModel(bytesOf(path), path);
      for (const [index, layer] of model.layers.entries()) {
        for (const input of layer.inputs) expect(input.layer).toBeLessThan(index);
      }
    }
  });

  it('lists a damaged layer that is not needed, and ends only where no recurrent layer is left', async () => {
    const withUnits = async (layer: string, units: number): Promise<ByteSource> => {
      const archive = await openZip(bytesOf('keras3-lstm/model.keras'), DEFAULT_LIMITS);
      const config = JSON.parse(Buffer.from(await archive.read('config.json')).toString('utf8')) as {
        config: { layers: { config: { name: string; units?: number } }[] };
      };
      for (const { config: settings } of config.config.layers) if (settings.name === layer) settings.units = units;
      const entries = archive.names.map(async (name) => ({
        name,
        bytes: name === 'config.json' ? Buffer.from(JSON.stringify(config)) : await archive.read(name),
      }));
      return memorySource(writeZip(await Promise.all(entries)));
    };
    const model = await readModel(await withUnits('head', 7), 'model.keras');
    expect(recurrentNames(model)).toEqual(['memory']);
    expect(describeModel(model).layers.find(({ name }) => name === 'head')).toMatchObject({
      supported: false,
      reason: expect.stringMatching(/head: tensor kernel .* has shape \[5, 2\], expected \[\*, 7\]\.$/),
    });
    await expect(readModel(await withUnits('memory', 7), 'model.keras')).rejects.toMatchObject({
      code: 'cell/shape-mismatch',
      message: expect.stringContaining('memory'),
      details: { layer: 'memory', expected: [null, 28], actual: [3, 20] },
    });
  });
});
