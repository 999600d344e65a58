import { describe, expect, it } from 'vitest';
import { cellsOf, isRecurrent } from '../../src/core/model';
import { memorySource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';

/** A file with any header, and so many bytes of numbers. */
function file(header: string, dataBytes: number, length = BigInt(Buffer.byteLength(header))): Uint8Array {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length);
  return Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(dataBytes)]);
}

const tensor = (dtype: string, shape: readonly number[], start: number, end: number): string =>
  JSON.stringify({ dtype, shape, data_offsets: [start, end] });

async function codeOf(bytes: Uint8Array): Promise<string> {
  const failure = await readModel(memorySource(bytes), 'a.safetensors').catch((error: unknown) => error);
  return (failure as { code?: string }).code ?? 'opened';
}

describe('a safetensors header', () => {
  it.each<[string, Uint8Array, string]>([
    ['longer than any file', new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0x10, 0x7b, 0, 0, 0]), 'reader/truncated'],
    ['longer than the file', file(`{"a":${tensor('F32', [1], 0, 4)}}`, 4, 1000n), 'reader/truncated'],
    ['of 2^63 bytes', file('{}', 0, 1n << 63n), 'reader/truncated'],
    ['of more than 100 MB', file('{}', 0, 100n * 1024n * 1024n + 1n), 'reader/truncated'],
    ['that is not JSON', file('{"a":}', 0), 'reader/corrupt'],
    [
      'with a name twice',
      file(`{"a":${tensor('F32', [1], 0, 4)},"a":${tensor('F32', [1], 0, 4)}}`, 4),
      'reader/corrupt',
    ],
    ['with a hole', file(`{"a":${tensor('F32', [1], 4, 8)}}`, 8), 'reader/corrupt'],
    ['with an overlap', file(`{"a":${tensor('F32', [2], 0, 8)},"b":${tensor('F32', [1], 4, 8)}}`, 8), 'reader/corrupt'],
    ['whose numbers are cut', file(`{"a":${tensor('F32', [2], 0, 8)}}`, 4), 'reader/truncated'],
    ['with bytes too many', file(`{"a":${tensor('F32', [1], 0, 4)}}`, 8), 'reader/corrupt'],
    ['whose shape needs other bytes', file(`{"a":${tensor('F32', [3], 0, 8)}}`, 8), 'reader/corrupt'],
    ['whose shape overflows', file(`{"a":${tensor('F32', [2 ** 40, 2 ** 40], 0, 8)}}`, 8), 'reader/corrupt'],
    ['with an unknown type', file(`{"a":${tensor('F33', [1], 0, 4)}}`, 4), 'reader/corrupt'],
    ['with a type named like a member', file(`{"a":${tensor('constructor', [1], 0, 4)}}`, 4), 'reader/corrupt'],
    ['with a negative size', file(`{"a":${tensor('F32', [-1], 0, 4)}}`, 4), 'reader/corrupt'],
    [
      'with a fraction for a place',
      file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0.5,4.5]}}', 4),
      'reader/corrupt',
    ],
    ['with remarks that are numbers', file('{"__metadata__":{"a":1}}', 0), 'reader/corrupt'],
    ['without a tensor', file('{}', 0), 'opened'],
    ['with an empty tensor', file(`{"a":${tensor('F32', [0, 3], 0, 0)}}`, 0), 'opened'],
    ['with a key like a member', file(`{"__proto__":${tensor('F32', [1], 0, 4)}}`, 4), 'opened'],
  ])('%s', async (_, bytes, code) => {
    expect(await codeOf(bytes)).toBe(code);
  });

  it('that is all there, and longer than the limit', async () => {
    const source = memorySource(file(`{"a":${tensor('F32', [1], 0, 4)}}`, 4));
    await expect(
      readModel(source, 'a.safetensors', { limits: { maxSafetensorsHeaderBytes: 8 } }),
    ).rejects.toMatchObject({ code: 'reader/limit-exceeded', details: { limit: 'maxSafetensorsHeaderBytes' } });
  });
});

describe('an index', () => {
  const shard = (name: string): Uint8Array => file(`{"${name}":${tensor('F32', [1], 0, 4)}}`, 4);
  const read = (map: object, files: Readonly<Record<string, Uint8Array>>): Promise<string> =>
    readModel(memorySource(Buffer.from(JSON.stringify({ weight_map: map }))), 'index.json', {
      openBeside: (name) => (files[name] ? memorySource(files[name]) : null),
    }).then(
      () => 'opened',
      (error: unknown) => (error as { code: string }).code,
    );

  it.each<[string, object, Readonly<Record<string, Uint8Array>>, string]>([
    [
      'opens its shards',
      { a: 'x.safetensors', b: 'y.safetensors' },
      { 'x.safetensors': shard('a'), 'y.safetensors': shard('b') },
      'opened',
    ],
    ['misses a shard', { a: 'x.safetensors' }, {}, 'reader/external-data-missing'],
    ['leads out of its folder', { a: '../x.safetensors' }, {}, 'reader/unsafe'],
    [
      'names what no shard holds',
      { a: 'x.safetensors', b: 'x.safetensors' },
      { 'x.safetensors': shard('a') },
      'reader/corrupt',
    ],
    [
      'finds a tensor twice',
      { a: 'x.safetensors', b: 'y.safetensors' },
      { 'x.safetensors': shard('a'), 'y.safetensors': shard('a') },
      'reader/corrupt',
    ],
  ])('%s', async (_, map, files, code) => {
    expect(await read(map, files)).toBe(code);
  });
});

/** A file of float32 tensors that count up, so that each number tells where it came from. */
function counted(shapes: Readonly<Record<string, readonly number[]>>): Uint8Array {
  const header: Record<string, object> = {};
  const values: number[] = [];
  for (const [name, shape] of Object.entries(shapes)) {
    const size = shape.reduce((product, axis) => product * axis, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [4 * values.length, 4 * (values.length + size)] };
    for (let index = 0; index < size; index++) values.push(values.length);
  }
  const bytes = file(JSON.stringify(header), 4 * values.length);
  const start = bytes.length - 4 * values.length;
  values.forEach((value, index) => Buffer.from(bytes.buffer, bytes.byteOffset).writeFloatLE(value, start + 4 * index));
  return bytes;
}

describe('cells found by name', () => {
  it('turns a PyTorch GRU into canonical blocks z r h', async () => {
    const shapes = { 'g.weight_ih_l0': [3, 2], 'g.weight_hh_l0': [3, 1], 'g.bias_ih_l0': [3], 'g.bias_hh_l0': [3] };
    const model = await readModel(memorySource(counted(shapes)), 'a.safetensors');
    const [layer] = model.layers;
    if (!layer || !isRecurrent(layer)) throw new Error('a GRU is recurrent');
    const cell = cellsOf(layer.operation)[0]!.cell;
    // Rows of weight_ih are r z n = [0 1], [2 3], [4 5].
    expect([...cell.kernel.data]).toEqual([2, 0, 4, 3, 1, 5]);
    expect([...cell.recurrentKernel.data]).toEqual([7, 6, 8]);
    expect([...cell.bias!.data]).toEqual([10, 9, 11, 13, 12, 14]);
    expect(cell).toMatchObject({ kind: 'GRU', units: 1, inputDim: 2, resetAfter: true });
    expect(layer).toMatchObject({ name: 'g', className: 'nn.GRU', origin: { sourceGateOrder: ['r', 'z', 'n'] } });
  });

  it('splits a fused kernel of TensorFlow 1 and adds the forget bias', async () => {
    const shapes = { 'rnn/basic_lstm_cell/kernel': [3, 4], 'rnn/basic_lstm_cell/bias': [4] };
    const model = await readModel(memorySource(counted(shapes)), 'a.safetensors');
    const [layer] = model.layers;
    if (!layer || !isRecurrent(layer)) throw new Error('an LSTM is recurrent');
    const cell = cellsOf(layer.operation)[0]!.cell;
    // Columns are i g f o; canonical order is i f g o.
    expect([...cell.kernel.data]).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
    expect([...cell.recurrentKernel.data]).toEqual([8, 10, 9, 11]);
    expect([...cell.bias!.data]).toEqual([12, 15, 13, 15]);
    expect(model.assumptions.map(({ what }) => what)).toContain('forget bias of rnn/basic_lstm_cell');
  });

  it('names levels, connects them, and lists a level that does not fit with its reason', async () => {
    const level = (number: number, input: number): Record<string, readonly number[]> => ({
      [`l.weight_ih_l${String(number)}`]: [8, input],
      [`l.weight_hh_l${String(number)}`]: [8, 2],
    });
    const model = await readModel(memorySource(counted({ ...level(0, 3), ...level(1, 2), ...level(2, 5) })), 'a');
    expect(model.layers.map(({ name }) => name)).toEqual(['l.l0', 'l.l1', 'l.l2']);
    expect(model.layers[1]!.inputs).toEqual([{ layer: 0, output: 0 }]);
    expect(model.layers[2]!.operation).toMatchObject({ kind: 'unsupported' });
  });
});
