/** What PyTorch files say beside their numbers: names without wrappers, nonlinearities, classes, odd tensors. */
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { RecurrentModel } from '../../src/core/model';
import { memorySource } from '../../src/readers/byte-source';
import type { Placed } from '../../src/readers/dialects/torch/find-tensors';
import { namePackedCells } from '../../src/readers/dialects/torch/packed-weights';
import { nameAsStateDict } from '../../src/readers/dialects/torch/state-dict-names';
import { readView } from '../../src/readers/dialects/torch/storage-views';
import { readModel } from '../../src/readers/read-model';
import type { StoredTensor } from '../../src/readers/stored-tensor';
import { writeZip } from './containers/write-zip';

const WHOLE = 'The module was saved whole; its class torch.nn.modules.linear.Linear is code and was not loaded.';

function read(name: string): Promise<RecurrentModel> {
  const folder = `test/fixtures/torch/${name}`;
  const file = readdirSync(folder).find((entry) => entry.startsWith('model.'))!;
  return readModel(memorySource(readFileSync(`${folder}/${file}`)), file);
}

describe('a module saved whole or scripted', () => {
  it.each(['rnn-relu-whole', 'rnn-relu-legacy-whole', 'rnn-relu-script', 'rnn-relu-traced', 'rnn-cell-relu-script'])(
    '%s says its nonlinearity, and nothing is assumed',
    async (name) => {
      const model = await read(name);
      expect(model.assumptions).toEqual([]);
      const { operation } = model.layers.find((layer) => layer.operation.kind === 'recurrent')!;
      expect(JSON.stringify(operation)).toContain('"name":"relu"');
    },
  );

  it('names the classes that were not loaded, without calling them a danger', async () => {
    const { warnings } = await read('net-whole');
    expect(warnings.map(({ code }) => code)).toEqual(['cell/unsupported']);
    expect(warnings[0]!.message).toContain('__main__.Net');
    expect(warnings[0]!.message).not.toContain('modules.rnn.');
  });

  it('lists what is no recurrent layer by its class, and says that the class was not loaded', async () => {
    const { layers } = await read('net-whole');
    expect(layers.filter(({ operation }) => operation.kind === 'unsupported')).toMatchObject([
      { name: 'embed', className: 'nn.Linear', operation: { reason: WHOLE } },
      { name: 'head', className: 'nn.Linear', operation: { reason: WHOLE } },
    ]);
    const reasons = (await read('net')).layers.map(({ operation }) => 'reason' in operation && operation.reason);
    expect(reasons).toContain('The file holds weights only; what this layer computes is not stored.');
  });

  it('lists parameters of the model itself by the class of the model', async () => {
    const { layers } = await read('own-parameter-whole');
    expect(layers.find(({ name }) => name === 'scale')).toMatchObject({
      className: 'Scaled',
      operation: { reason: expect.stringMatching(/saved whole; its class __main__\.Scaled is code/) },
    });
  });

  it('has no second list of the same tensors', async () => {
    const { layers } = await read('lstm-script');
    expect(layers.map(({ name }) => name)).toEqual(['rnn']);
  });
});

describe('a checkpoint', () => {
  it('of Lightning has the names of its state dict, and nothing of callbacks and settings', async () => {
    const { layers } = await read('net-lightning');
    expect(layers.map(({ name }) => name).sort()).toEqual(['embed', 'encoder.lstm', 'head']);
  });

  it('with types that hold no numbers lists them, and the layer is read', async () => {
    const { layers } = await read('lstm-odd-beside');
    const types = layers.flatMap(({ weights }) => weights.map(({ dtype }) => dtype));
    expect(layers[0]!.operation.kind).toBe('recurrent');
    expect(types).toEqual(expect.arrayContaining(['float8_e4m3fn', 'uint16', 'sparse', 'qint8', 'meta']));
  });
});

describe('a quantized module', () => {
  it.each(['lstm-quantized', 'lstm-quantized-script', 'lstm-cell-quantized', 'gru-quantized-bidirectional'])(
    '%s says that nothing is rounded, and calls nothing a danger',
    async (name) => {
      const { assumptions, warnings } = await read(name);
      expect(assumptions.map(({ assumed }) => assumed)).toEqual(['those of the file, without the rounding of x and h']);
      expect(warnings.map(({ code }) => code)).not.toContain('reader/unsafe');
    },
  );

  const cells = (...inputs: readonly number[]): readonly StoredTensor[] =>
    inputs.flatMap((size, number) =>
      [
        ['weight_ih', [16, size]],
        ['weight_hh', [16, 4]],
      ].map(([parameter, shape]): StoredTensor => ({
        name: `a._all_weight_values.${String(number)}.param.${String(parameter)}`,
        shape: shape as number[],
        dtype: 'qint8',
        read: () => Promise.reject(),
      })),
    );

  it.each<[string, readonly StoredTensor[], readonly string[]]>([
    ['one cell', cells(3), ['l0']],
    ['two directions', cells(3, 3), ['l0', 'l0_reverse']],
    ['two levels', cells(3, 4), ['l0', 'l1']],
    ['two levels of two directions', cells(3, 3, 8, 8), ['l0', 'l0_reverse', 'l1', 'l1_reverse']],
    ['four levels', cells(4, 4, 4, 4), ['l0', 'l1', 'l2', 'l3']],
    ['two that may be either', cells(4, 4), ['l0', 'l1']],
  ])('has %s by what its cells take', (what, tensors, suffixes) => {
    const { tensors: used, notes } = namePackedCells(tensors);
    const kernels = used.map(({ name }) => name).filter((name) => name.startsWith('a.weight_ih'));
    expect(kernels).toEqual(suffixes.map((suffix) => `a.weight_ih_${suffix}`));
    expect(notes.some(({ what: about }) => about === 'cells of a')).toBe(what === 'two that may be either');
  });

  it('whose scales are the tensor itself is listed', async () => {
    const storage = '(X\x07\x00\x00\x00storagectorch\nQInt8Storage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ';
    const body =
      `\x80\x02}X\x01\x00\x00\x00a` +
      `ctorch._utils\n_rebuild_qtensor\n]q\x01Rq\x02` +
      `0h\x01(${storage}K\x00K\x04\x85K\x01\x85(ctorch\nper_channel_affine\nh\x02h\x02K\x00t\x89}e0h\x02s.`;
    const zip = writeZip([
      { name: 'm/data.pkl', bytes: Buffer.from(body, 'latin1') },
      { name: 'm/data/0', bytes: new Uint8Array(4) },
    ]);
    const { layers } = await readModel(memorySource(zip), 'm.pt');
    expect(layers[0]!.weights).toMatchObject([{ name: 'a', dtype: 'quantized' }]);
  });
});

describe('a pickle of protocol 0 or 1', () => {
  it.each([
    ['a dictionary', '(dp0\nVa\np1\nI1\ns.'],
    ['a dictionary of protocol 1', '}q\x00X\x01\x00\x00\x00aq\x01K\x01s.'],
    ['an object', 'ccopy_reg\n_reconstructor\np0\n(c__main__\nNet\np1\nc__builtin__\nobject\np2\nNtp3\nRp4\n.'],
  ])('is named for what it is: %s', async (_, body) => {
    await expect(readModel(memorySource(Buffer.from(body, 'latin1')), 'm.pkl')).rejects.toMatchObject({
      code: 'reader/unknown-format',
      message: expect.stringMatching(/pickle of protocol 0 or 1, not a model that can be read$/),
      remedy: expect.stringContaining('with protocol 2 or newer'),
    });
  });
});

describe('names', () => {
  const named = (...paths: readonly (readonly [string, number])[]): readonly string[] => {
    const tensors = paths.map(([path, wrappers]): Placed<StoredTensor> => {
      const parts = path.split('/');
      return {
        path: parts,
        wrappers,
        value: { name: path, shape: [], dtype: 'float32', read: () => Promise.reject() },
      };
    });
    return nameAsStateDict({ tensors, modules: [], classes: [], hasUnreadPacked: false }).tensors.map(
      ({ name }) => name,
    );
  };

  it.each<[string, readonly (readonly [string, number])[], readonly string[]]>([
    ['of a state dict stay', [['rnn.weight', 0]], ['rnn.weight']],
    ['lose the only key around them', [['weights_of_mine/rnn.weight', 1]], ['rnn.weight']],
    ['keep a key that names the module', [['encoder/weight', 1]], ['encoder.weight']],
    [
      'lose a key of checkpoints beside others',
      [
        ['model/a', 1],
        ['stats/mean', 1],
      ],
      ['a', 'stats.mean'],
    ],
    [
      'keep both of two such keys',
      [
        ['model/a', 1],
        ['ema/a', 1],
      ],
      ['model.a', 'ema.a'],
    ],
    [
      'lose what DataParallel adds',
      [
        ['module.rnn.a', 0],
        ['module.rnn.b', 0],
      ],
      ['rnn.a', 'rnn.b'],
    ],
    [
      'keep module. where not all have it',
      [
        ['module.a', 0],
        ['b', 0],
      ],
      ['module.a', 'b'],
    ],
    [
      'lose wrappers under each key',
      [
        ['model/module.a', 1],
        ['ema/a', 1],
      ],
      ['model.a', 'ema.a'],
    ],
    ['of a module keep an attribute named model', [['model/rnn/weight', 0]], ['model.rnn.weight']],
  ])('%s', (_, paths, expected) => {
    expect(named(...paths)).toEqual(expected);
  });
});

describe('a view', () => {
  const numbers = Float32Array.from({ length: 300_000 }, (_, index) => index);
  const bytes = new Uint8Array(numbers.buffer);
  const view = (shape: readonly number[], strides: readonly number[], offset: number) => {
    let largest = 0;
    const source = memorySource(bytes);
    const counted = {
      size: source.size,
      read: (at: number, length: number) => {
        largest = Math.max(largest, length);
        return source.read(at, length);
      },
    };
    const settings = { name: 'w', shape, strides, offset, dtype: 'float32', littleEndian: true };
    return { data: Array.from(readView(counted, settings, 'm.pt').data), largest };
  };

  it('of three columns of a wide matrix reads its own rows only', () => {
    const { data, largest } = view([2, 3], [200_000, 1], 7);
    expect(data).toEqual([7, 8, 9, 200_007, 200_008, 200_009]);
    expect(largest).toBe(12);
  });

  it('that is transposed has the numbers in its own order', () => {
    expect(view([3, 2], [1, 3], 10).data).toEqual([10, 13, 11, 14, 12, 15]);
  });

  it('of a column that is far apart has every number', () => {
    expect(view([2, 2, 2], [1, 100_000, 50_000], 1).data).toEqual([
      1, 50_001, 100_001, 150_001, 2, 50_002, 100_002, 150_002,
    ]);
  });
});
