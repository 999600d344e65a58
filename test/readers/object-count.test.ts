/** What the descriptions in a file become in memory is counted while they are read, whatever the format. */
import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import { isRecurrent } from '../../src/core/model';
import { memorySource } from '../../src/readers/byte-source';
import { unpickle } from '../../src/readers/containers/pickle';
import { parseJson } from '../../src/readers/json';
import { limitsOfReading } from '../../src/readers/limits';
import { readModel } from '../../src/readers/read-model';
import { writeZip } from './containers/write-zip';
import { attribute, bytesField, graph, intField, model, node, tensor, value } from './onnx-bytes';

const X = value('X', ['T', 'B', 2]);
const Y = value('Y', ['T', 1, 'B', 1]);
const W = tensor('W', [1, 4, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
const R = tensor('R', [1, 4, 1], [1, 2, 3, 4]);
const lstm = (kernel = 'W'): Buffer =>
  node('LSTM', ['X', kernel, 'R'], ['Y'], [attribute.int('hidden_size', 1)], 'lstm');
const times = (count: number, make: (index: number) => Buffer): readonly Buffer[] =>
  Array.from({ length: count }, (_, index) => make(index));

function onnx(nodes: readonly Buffer[], tensors: readonly Buffer[] = []): Buffer {
  return model(graph([lstm(), ...nodes], [W, R, ...tensors], [X], [Y]));
}

function safetensors(count: number): Buffer {
  const header = Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      `t${String(at)}`,
      { dtype: 'U8', shape: [1], data_offsets: [at, at + 1] },
    ]),
  );
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, Buffer.alloc(count)]);
}

const FILES: readonly (readonly [string, (count: number) => Uint8Array])[] = [
  [
    'initializers of an ONNX graph',
    (count) =>
      onnx(
        [],
        times(count, (at) => tensor(`t${String(at)}`, [1], [1])),
      ),
  ],
  ['nodes', (count) => onnx(times(count, (at) => node('Relu', ['X'], [`r${String(at)}`])))],
  [
    'attributes of one node',
    (count) =>
      onnx([
        node(
          'Foo',
          ['X'],
          ['q'],
          times(count, (at) => bytesField(1, String(at))),
        ),
      ]),
  ],
  ['inputs of one node', (count) => onnx([node('Foo', Array<string>(count).fill('X'), ['q'])])],
  [
    'numbers of a tensor one by one',
    (count) => {
      const numbers = times(count, () => Buffer.from([0x25, 0, 0, 0, 0]));
      return onnx([], [Buffer.concat([intField(1, count), intField(2, 1), ...numbers, bytesField(8, 'Q')])]);
    },
  ],
  ['tensors of a safetensors file', safetensors],
];

describe.each(FILES)('%s', (_, make) => {
  const used = async (count: number): Promise<number> => {
    const error: unknown = await readModel(memorySource(make(count)), 'm', { limits: { maxObjectBytes: 1 } }).catch(
      (failure: unknown) => failure,
    );
    expect(error).toBeInstanceOf(TempogradError);
    expect((error as TempogradError).details['limit']).toBe('maxObjectBytes');
    // The least cap with which it opens.
    let [below, enough] = [1, 2 ** 26];
    while (enough - below > 2 ** 10) {
      const middle = Math.floor((below + enough) / 2);
      const isOpened = await readModel(memorySource(make(count)), 'm', { limits: { maxObjectBytes: middle } }).then(
        () => true,
        () => false,
      );
      if (isOpened) enough = middle;
      else below = middle;
    }
    return enough;
  };

  it('are counted one by one', async () => {
    const [few, many] = [await used(100), await used(300)];
    const each = (many - few) / 200;
    expect(each).toBeGreaterThan(50);
    expect(each).toBeLessThan(4000);
  });
});

describe('values of a pickle', () => {
  const bytesOf = (body: string): number => {
    const limits = limitsOfReading();
    unpickle(memorySource(Buffer.from(`\x80\x02(${body}l.`, 'latin1')), 0, 'm', limits);
    return limits.objects.bytes;
  };

  it.each([
    ['numbers', 'K\x01'],
    ['doubles', 'G\x3f\xf0\0\0\0\0\0\0'],
    ['long numbers', '\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01'],
    ['texts', 'X\x01\0\0\0a'],
    ['bytes', 'C\x01a'],
    ['tuples', 'K\x01\x85'],
    ['lists', ']'],
    ['dictionaries', '}'],
    ['sets', '\x8f'],
    ['objects', 'ca\nb\n)R'],
    ['values that are remembered', 'K\x01\x94'],
    ['values that are dropped', 'K\x010'],
  ])('%s are counted', (_, one) => {
    const each = (bytesOf(one.repeat(1000)) - bytesOf(one.repeat(500))) / 500;
    expect(each).toBeGreaterThanOrEqual(16);
    expect(each).toBeLessThan(500);
  });

  it('are refused while they are read, before there are too many', () => {
    const pickle = Buffer.from(`\x80\x02(${'}'.repeat(1000)}`, 'latin1');
    // Without an end: read to the end it would be truncated.
    expect(() => unpickle(memorySource(pickle), 0, 'm', limitsOfReading({ maxObjectBytes: 10_000 }))).toThrow(
      /maxObjectBytes/,
    );
  });
});

it('all texts of one file are counted together', () => {
  const limits = limitsOfReading({ maxObjectBytes: 2500 });
  const once = (): unknown => parseJson('[{},{},{},{},{},{},{},{},{},{}]', 'x', limits);
  expect(once).not.toThrow();
  expect(once).not.toThrow();
  expect(once).toThrow(/maxObjectBytes/);
});

it('a pickle that is inflated counts as large as it becomes', async () => {
  const pickle = Buffer.from(`\x80\x02${'N0'.repeat(3000)}}.`, 'latin1');
  const stored = { name: 'm/data.pkl', bytes: deflateRawSync(pickle), crc: crc32(pickle) };
  const bytes = writeZip([{ ...stored, method: 8, inflatedSize: pickle.length }]);
  await expect(readModel(memorySource(bytes), 'm.pt', { limits: { maxObjectBytes: 6000 } })).rejects.toMatchObject({
    details: { limit: 'maxObjectBytes', value: pickle.length },
  });
});

describe('constants that an ONNX graph computes', () => {
  it('are computed again when they were dropped', async () => {
    // Ten arrays of 6 MB, each taken by one more node, so that none is let go for having no user left.
    const size = 6 * 2 ** 18;
    const chain = Array.from({ length: 10 }, (_, at) => [
      node('Neg', [at === 0 ? 'A' : `a${String(at - 1)}`], [`a${String(at)}`]),
      node('Relu', [`a${String(at)}`], [`q${String(at)}`]),
    ]).flat();
    const bounds = ['s', 'e', 'x'].map((name, at) => tensor(name, [1], [], [[0, 2, 2][at]!]));
    const parts = ['a1', 'a0'].map((from, at) => node('Slice', [from, 's', 'e', 'x'], [`W${String(at)}`]));
    const joined = node('Concat', ['a9s', 'W0', 'W1'], ['K'], [attribute.int('axis', 2)]);
    const last = node('Slice', ['a9', 's', 'e', 'x'], ['a9s']);
    const large = tensor(
      'A',
      [1, 4, size / 4],
      Array.from({ length: size }, (_, at) => at % 7),
    );
    const bytes = model(graph([...chain, last, ...parts, joined, lstm('K')], [large, R, ...bounds], [X], [Y]));
    const { layers } = await readModel(memorySource(bytes), 'm.onnx');
    const { kernel } = layers.find(isRecurrent)!.operation.forward!;
    // Row by row of the file: a9 = A, a1 = A, a0 = -A.
    expect(kernel.shape).toEqual([6, 4]);
    const row = Array.from({ length: 6 }, (_, at) => kernel.data[at * 4]);
    expect(row).toEqual([0, 1, 0, 1, -0, -1]);
  });

  it('are not cut into other pieces than a node gives', async () => {
    const sizes = tensor('n', [3], [], [1, 1, 2]);
    const split = node('Split', ['W', 'n'], ['a', 'b'], [attribute.int('axis', 1)]);
    const joined = node('Concat', ['a', 'b'], ['K'], [attribute.int('axis', 1)]);
    const bytes = model(graph([split, joined, lstm('K')], [W, R, sizes], [X], [Y]));
    await expect(readModel(memorySource(bytes), 'm.onnx')).rejects.toMatchObject({ code: 'reader/corrupt' });
  });
});
