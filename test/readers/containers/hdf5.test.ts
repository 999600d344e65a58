import { readFileSync } from 'node:fs';
import { Dataset, File as JsFiveFile, type Group } from 'jsfive';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../src/readers/byte-source';
import { openHdf5, type Hdf5File } from '../../../src/readers/containers/hdf5';
import { limitsOfReading } from '../../../src/readers/limits';
import { kerasFixtureNames, loadKerasFixture } from '../../support/keras-fixtures';

function open(bytes: Uint8Array): Promise<Hdf5File> {
  return openHdf5(memorySource(bytes), 'file.h5', limitsOfReading());
}

/** Paths of all datasets as the other reader finds them. */
function datasetsOf(group: Group, path = ''): [string, Dataset][] {
  return group.keys.flatMap((key) => {
    const child = group.get(key);
    return child instanceof Dataset
      ? [[`${path}/${key}`, child] as [string, Dataset]]
      : datasetsOf(child, `${path}/${key}`);
  });
}

const names = kerasFixtureNames().filter((name) => loadKerasFixture(name).file.endsWith('.h5'));
/** Every tenth file is enough: the layouts repeat. */
const chosen = names.filter((_, index) => index % 10 === 0);

describe('against a second HDF5 reader', () => {
  it.each(chosen)('%s has the same datasets, numbers and attributes', async (name) => {
    const { bytes } = loadKerasFixture(name);
    const other = new JsFiveFile(new Uint8Array(bytes).buffer, 'file.h5');
    const own = await open(bytes);
    const datasets = datasetsOf(other);
    expect(datasets.length).toBeGreaterThan(0);
    for (const [path, dataset] of datasets) {
      const found = await own.dataset(path);
      expect([...found.shape]).toEqual(dataset.shape);
      expect([...(await found.read()).data]).toEqual([...dataset.value].map(Number));
    }
    for (const attribute of ['model_config', 'keras_version', 'backend']) {
      expect(await own.attribute('/', attribute)).toEqual(other.attrs[attribute] ?? null);
    }
  });
});

describe('openHdf5', () => {
  const { bytes } = loadKerasFixture('tfkeras-lstm-h5');

  it('tells groups, datasets and nothing apart', async () => {
    const file = await open(bytes);
    expect(await file.kindOf('/model_weights')).toBe('group');
    expect(await file.kindOf('/model_weights/memory/memory/lstm_cell/kernel:0')).toBe('dataset');
    expect(await file.kindOf('/nowhere/at/all')).toBe('missing');
    expect(await file.attribute('/', 'nothing')).toBeNull();
    expect(await file.address('/model_weights')).toBe(await file.address('model_weights/'));
  });

  it('goes on after a failure', async () => {
    const file = await open(bytes);
    await expect(file.dataset('/nowhere')).rejects.toMatchObject({ code: 'reader/corrupt' });
    await expect(file.list('/nowhere')).rejects.toMatchObject({ code: 'reader/corrupt' });
    expect(await file.list('/model_weights')).toContain('memory');
  });

  it('reads the file on demand', async () => {
    let read = 0;
    const inner = memorySource(bytes);
    const file = await openHdf5(
      {
        size: inner.size,
        read: (offset, length) => {
          read += length;
          return inner.read(offset, length);
        },
      },
      'file.h5',
      limitsOfReading(),
    );
    await file.kindOf('/model_weights');
    expect(read).toBeLessThan(bytes.length);
  });

  it.each(['h5-external-link.h5', 'h5-external-storage.h5'])(
    'names what %s leads to and opens nothing',
    async (name) => {
      const file = await open(readFileSync(`test/fixtures/bad/${name}`));
      const path = '/model_weights/memory';
      const task = async (): Promise<unknown> =>
        (await file.kindOf(path)) === 'group' && (await file.dataset(`${path}/memory/lstm_cell/kernel:0`)).read();
      await expect(task()).rejects.toMatchObject({ code: 'reader/unsafe', details: { target: '/etc/hostname' } });
    },
  );

  it('holds attributes and tensors against the limits', async () => {
    const tight = await openHdf5(
      memorySource(bytes),
      'file.h5',
      limitsOfReading({ maxAttributeBytes: 1, maxTensorBytes: 8 }),
    );
    await expect(tight.attribute('/', 'model_config')).rejects.toMatchObject({
      code: 'reader/limit-exceeded',
      details: { limit: 'maxAttributeBytes' },
    });
    const kernel = await tight.dataset('/model_weights/memory/memory/lstm_cell/kernel:0');
    await expect(kernel.read()).rejects.toMatchObject({ code: 'reader/limit-exceeded' });
  });
});
