import { describe, expect, it } from 'vitest';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import { memorySource } from '../../src/readers/byte-source';
import type { ReadLimits } from '../../src/readers/limits';
import { readModel } from '../../src/readers/read-model';
import { attribute, bytesField, graph, intField, makeFunction, model, node, tensor, value } from './onnx-bytes';

function read(bytes: Buffer, limits: Partial<ReadLimits> = {}): Promise<RecurrentModel> {
  return readModel(memorySource(bytes), 'model.onnx', { limits });
}

const X = value('X', ['T', 'B', 2]);
const Y = value('Y', ['T', 1, 'B', 1]);
const W = tensor('W', [1, 4, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
const R = tensor('R', [1, 4, 1], [1, 2, 3, 4]);
const size = attribute.int('hidden_size', 1);

function lstm(kernel = 'W', input = 'X', output = 'Y'): Buffer {
  return node('LSTM', [input, kernel, 'R'], [output], [size], 'lstm');
}

/** Five written-out steps of a tanh cell with one bias and one factor of the recurrent product for each. */
function unrolled(biases: readonly number[], alphas: readonly number[]): Buffer {
  const tensors = [tensor('W', [3, 2], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), tensor('K', [2, 2], [0.2, 0.1, -0.1, 0.3])];
  tensors.push(tensor('h0', [1, 2], [0, 0]));
  const nodes: Buffer[] = [];
  biases.forEach((bias, t) => {
    const at = String(t);
    const before = t === 0 ? 'h0' : `H${String(t - 1)}`;
    tensors.push(tensor(`b${at}`, [2], [bias, bias]), tensor(`i${at}`, [], [], [t]));
    nodes.push(node('Gather', ['X', `i${at}`], [`x${at}`], [attribute.int('axis', 0)]));
    nodes.push(node('MatMul', [`x${at}`, 'W'], [`xw${at}`]));
    nodes.push(node('Gemm', [before, 'K'], [`hk${at}`], [attribute.float('alpha', alphas[t]!)]));
    nodes.push(node('Add', [`xw${at}`, `hk${at}`], [`s${at}`]), node('Add', [`s${at}`, `b${at}`], [`z${at}`]));
    nodes.push(node('Tanh', [`z${at}`], [`H${at}`]));
  });
  return model(graph(nodes, tensors, [value('X', [5, 1, 3])], [value('H4', [1, 2])]));
}

describe('a recurrence that is written out', () => {
  const recurrentIn = async (bytes: Buffer): Promise<number> => (await read(bytes)).layers.filter(isRecurrent).length;

  it('is one cell where every step has the same numbers', async () => {
    expect(await recurrentIn(unrolled([0.1, 0.1, 0.1, 0.1, 0.1], [1, 1, 1, 1, 1]))).toBe(1);
  });

  it.each([
    ['bias at the second step', [0.1, 0.2, 0.1, 0.1, 0.1], [1, 1, 1, 1, 1]],
    ['bias at the last step but one', [0.1, 0.1, 0.1, 0.2, 0.1], [1, 1, 1, 1, 1]],
    ['factor at the third step', [0.1, 0.1, 0.1, 0.1, 0.1], [1, 1, 0.5, 1, 1]],
    ['factor at the last step but one', [0.1, 0.1, 0.1, 0.1, 0.1], [1, 1, 1, 0.5, 1]],
  ])('is none with another %s', async (_, biases, alphas) => {
    expect(await recurrentIn(unrolled(biases, alphas))).toBe(0);
  });
});

describe('names in functions', () => {
  const shadow = makeFunction(
    'k',
    ['x'],
    ['y'],
    [
      node('Constant', [], ['W'], [attribute.tensor('value', tensor('', [1, 4, 2], [9, 9, 9, 9, 9, 9, 9, 9]))]),
      node('Identity', ['x'], ['y']),
    ],
  );

  it('never take the place of the model’s own', async () => {
    const call = node('k', ['X'], ['X2'], [], 'n', 'f');
    const own = tensor('n/W', [1, 4, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
    const { layers } = await read(model(graph([call, lstm('n/W', 'X2')], [own, R], [X], [Y]), [shadow]));
    const cell = layers.find(isRecurrent)!.operation.forward!;
    expect([...cell.kernel.data].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('that two things give are refused', async () => {
    const twice = model(graph([node('Identity', ['X'], ['W']), lstm()], [W, R], [X], [Y]));
    await expect(read(twice)).rejects.toMatchObject({ code: 'reader/corrupt' });
  });

  it('of one graph in many places are counted in each', async () => {
    const both = [attribute.reference('then_branch', 'g'), attribute.reference('else_branch', 'g')];
    const twice = makeFunction('f', ['c'], ['o'], [node('If', ['c'], ['o'], both)], ['g']);
    let inner = graph([lstm('W', 'X', 'o')], [], [], [value('o', ['T', 1, 1, 1])]);
    for (let level = 0; level < 24; level++) {
      const call = node('f', ['C'], ['o'], [attribute.graph('g', inner)], `n${String(level)}`, 'f');
      inner = graph([call], [], [], [value('o', ['T', 1, 1, 1])]);
    }
    const top = node('f', ['C'], ['Y'], [attribute.graph('g', inner)], 'top', 'f');
    const bomb = model(graph([top], [W, R], [X, value('C', [])], [Y]), [twice]);
    await expect(read(bomb)).rejects.toMatchObject({ code: 'reader/limit-exceeded' });
  });
});

describe('constants', () => {
  it('of no numbers and huge sizes are joined at once', async () => {
    const nodes = [
      node('ConstantOfShape', ['big'], ['z']),
      node('Concat', ['z', 'z'], ['z2'], [attribute.int('axis', 1)]),
      node('Reshape', ['z2', 'e'], ['z3']),
      node('Concat', ['z3', 'W'], ['W2'], [attribute.int('axis', 0)]),
    ];
    const shapes = [tensor('big', [2], [], [2 ** 50, 0]), tensor('e', [3], [], [0, 4, 2])];
    const bytes = model(graph([...nodes, lstm('W2')], [W, R, ...shapes], [X], [Y]));
    await expect(read(bytes)).rejects.toMatchObject({ code: 'reader/corrupt' });
  });

  it('have many users', async () => {
    const products = Array.from({ length: 6 }, (_, i) => node('MatMul', [`h${String(i)}`, 'K'], [`h${String(i + 1)}`]));
    const users = Array.from({ length: 150_000 }, (_, i) => node('Relu', ['h1'], [`r${String(i)}`]));
    const main = graph(
      [...products, ...users],
      [tensor('K', [1, 1], [0.5])],
      [value('h0', ['B', 1])],
      [value('h6', ['B', 1])],
    );
    // More than the objects of an honest file take.
    expect((await read(model(main), { maxObjectBytes: 2 ** 30 })).layers.some(isRecurrent)).toBe(false);
  });
});

describe('the width of an initial cell state', () => {
  const wide = [tensor('W', [1, 8, 2], Array(16).fill(0.1)), tensor('R', [1, 8, 2], Array(16).fill(0.2))];
  const one = (name: string, entry: number): Buffer => tensor(name, [1], [], [entry]);
  const shape = [one('one', 1), one('two', 2), one('zero', 0), one('four', 4)];
  const batch = [node('Shape', ['X'], ['sh']), node('Slice', ['sh', 'one', 'two', 'zero'], ['b'])];
  const cell = node('LSTM', ['X', 'W', 'R', '', '', 'h0', 'c0'], ['Y'], [attribute.int('hidden_size', 2)], 'lstm');

  it.each([
    [
      'a part of a wider one',
      [
        node('Concat', ['one', 'b', 'four'], ['s0'], [attribute.int('axis', 0)]),
        node('ConstantOfShape', ['s0'], ['z']),
        node('Slice', ['z', 'zero', 'two', 'two'], ['h0']),
        node('Slice', ['z', 'two', 'four', 'two'], ['c0']),
      ],
      [],
    ],
    [
      'stretched from what is stored',
      [
        node('Concat', ['one', 'b', 'one'], ['s0'], [attribute.int('axis', 0)]),
        node('Expand', ['stored', 's0'], ['h0']),
        node('Expand', ['stored', 's0'], ['c0']),
      ],
      [tensor('stored', [1, 1, 2], [0.5, 0.5])],
    ],
  ])('is not told wrong where it is %s', async (_, nodes, tensors) => {
    const main = graph(
      [...batch, ...nodes, cell],
      [...wide, ...shape, ...tensors],
      [X],
      [value('Y', ['T', 1, 'B', 2])],
    );
    expect((await read(model(main))).layers.filter(isRecurrent).map(({ name }) => name)).toEqual(['lstm']);
  });
});

describe('lists of the file', () => {
  const many = Array.from({ length: 200 }, (_, i) => i);
  const main = (...parts: readonly Buffer[]): Buffer => Buffer.concat([graph([lstm()], [W, R], [X], [Y]), ...parts]);
  const other = (...parts: readonly Buffer[]): Buffer =>
    model(main(bytesField(1, Buffer.concat([node('Foo', ['X'], ['q']), ...parts]))));
  const stored = (...parts: readonly Buffer[]): Buffer => model(main(bytesField(5, Buffer.concat(parts))));

  it.each([
    ['inputs of the graph', model(main(...many.map((i) => bytesField(11, value(String(i), [])))))],
    ['outputs of the graph', model(main(...many.map((i) => bytesField(12, value(String(i), [])))))],
    ['sizes of an input', model(main(bytesField(11, value('big', many))))],
    ['inputs of a node', other(...many.map((i) => bytesField(1, String(i))))],
    ['outputs of a node', other(...many.map((i) => bytesField(2, String(i))))],
    ['attributes of a node', other(...many.map((i) => bytesField(5, attribute.int(String(i), i))))],
    ['integers of an attribute', other(bytesField(5, bytesField(8, Buffer.alloc(200, 1))))],
    ['numbers of an attribute', other(bytesField(5, bytesField(7, Buffer.alloc(800))))],
    ['sizes of a tensor', stored(bytesField(1, Buffer.alloc(200, 1)))],
    ['numbers one by one', stored(intField(1, 200), intField(2, 6), ...many.map((i) => intField(5, i)))],
  ])('are counted: %s', async (_, bytes) => {
    expect((await read(bytes, { maxListEntries: 250 })).layers.some(isRecurrent)).toBe(true);
    await expect(read(bytes, { maxListEntries: 200 })).rejects.toMatchObject({
      code: 'reader/limit-exceeded',
      details: { limit: 'maxListEntries' },
    });
  });

  it('of functions are counted before these are read', async () => {
    const bytes = model(
      main(),
      many.map(() => Buffer.alloc(0)),
    );
    await expect(read(bytes, { maxNamedTensors: 100 })).rejects.toMatchObject({
      code: 'reader/limit-exceeded',
      details: { limit: 'maxNamedTensors' },
    });
  });
});
