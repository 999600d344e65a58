/** What is taken for a recurrent layer among named tensors, what is not, and what is said of it. */
import { describe, expect, it } from 'vitest';
import { cellsOf, isRecurrent, type RecurrentModel } from '../../src/core/model';
import { memorySource } from '../../src/readers/byte-source';
import { describeModel } from '../../src/readers/describe-model';
import { readNamedWeights } from '../../src/readers/dialects/named-weights';
import { limitsOfReading } from '../../src/readers/limits';
import type { FormatOptions } from '../../src/readers/reading';
import type { StoredTensor } from '../../src/readers/stored-tensor';
import { readModel, type ReadOptions } from '../../src/readers/read-model';

const OPTIONS: FormatOptions = {
  activation: null,
  recurrentActivation: null,
  resetAfter: null,
  architecture: null,
  openBeside: () => null,
  onTensor: null,
  measured: null,
  limits: limitsOfReading(),
};

type Shapes = Readonly<Record<string, readonly number[]>>;

/** A safetensors file of float32 tensors that count up, so that each number tells where it came from. */
function counted(shapes: Shapes): Uint8Array {
  const header: Record<string, object> = {};
  let size = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const end = size + 4 * shape.reduce((product, axis) => product * axis, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [size, end] };
    size = end;
  }
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  const values = Float32Array.from({ length: size / 4 }, (_, index) => index);
  return Buffer.concat([prefix, text, Buffer.from(values.buffer)]);
}

const open = (shapes: Shapes, options: ReadOptions = {}): Promise<RecurrentModel> =>
  readModel(memorySource(counted(shapes)), 'a.safetensors', options);
const named = (model: RecurrentModel): readonly string[] => model.layers.filter(isRecurrent).map(({ name }) => name);
const said = ({ assumptions }: RecurrentModel): readonly string[] => assumptions.map(({ what }) => what);

/** Kernels of a Flax LSTM of 2 units over 3 features below a prefix. */
const flax = (prefix: string): Record<string, readonly number[]> =>
  Object.fromEntries(
    [...'ifgo'].flatMap((gate) => [
      [`${prefix}.i${gate}.kernel`, [3, 2]],
      [`${prefix}.h${gate}.kernel`, [2, 2]],
      [`${prefix}.h${gate}.bias`, [2]],
    ]),
  );

describe('cells with a tensor for each gate', () => {
  it('are put together in canonical order, every tensor listed under its own name', async () => {
    const shapes = flax('params.LSTMCell_0');
    const model = await open(shapes);
    const [layer] = model.layers;
    if (!layer || !isRecurrent(layer)) throw new Error('an LSTM is recurrent');
    expect(layer).toMatchObject({ name: 'LSTMCell_0', className: 'LSTMCell', origin: { path: 'params.LSTMCell_0' } });
    expect(layer.weights.map(({ name }) => name).sort()).toEqual(Object.keys(shapes).sort());
    const { cell } = cellsOf(layer.operation)[0]!;
    expect(cell).toMatchObject({ kind: 'LSTM', units: 2, inputDim: 3, kernel: { shape: [3, 8] } });
    // Each gate takes 6 + 4 + 2 numbers; rows of the kernel are the features.
    expect([...cell.kernel.data.subarray(0, 8)]).toEqual([0, 1, 12, 13, 24, 25, 36, 37]);
    expect([...cell.recurrentKernel.data.subarray(8)]).toEqual([8, 9, 20, 21, 32, 33, 44, 45]);
    expect([...cell.bias!.data]).toEqual([10, 11, 22, 23, 34, 35, 46, 47]);
    expect(said(model)).toEqual(['activation of LSTMCell_0', 'recurrent activation of LSTMCell_0']);
  });

  it('are several in one file, not connected, and that is said', async () => {
    const model = await open({ ...flax('params.a'), ...flax('params.b'), 'params.head.kernel': [2, 5] });
    expect(named(model)).toEqual(['a', 'b']);
    expect(model.layers.every(({ inputs }) => inputs.length === 0)).toBe(true);
    expect(said(model)).toContain('connections between layers');
    expect(model.layers.at(-1)).toMatchObject({ name: 'params.head', operation: { kind: 'unsupported' } });
  });

  it('take the activations that the user names', async () => {
    const model = await open(flax('a'), { activation: 'softsign', recurrentActivation: 'hard_sigmoid' });
    expect(model.layers[0]!.operation).toMatchObject({
      forward: { activation: { name: 'softsign' }, recurrentActivation: { name: 'hard_sigmoid', slope: 1 / 6 } },
    });
    expect(said(model)).toEqual([]);
  });

  it('of Keras 1 have its hard_sigmoid', async () => {
    const shapes = Object.fromEntries(
      [...'ifco'].flatMap((gate) => [
        [`lstm_1_W_${gate}`, [3, 2]],
        [`lstm_1_U_${gate}`, [2, 2]],
        [`lstm_1_b_${gate}`, [2]],
      ]),
    );
    const model = await open(shapes);
    expect(named(model)).toEqual(['lstm_1']);
    expect(model.layers[0]!.operation).toMatchObject({
      forward: { recurrentActivation: { name: 'hard_sigmoid', slope: 0.2 } },
    });
  });

  it('are listed with a reason when the user names an activation that nobody knows', async () => {
    const model = await open(flax('a'), { activation: 'no_such' });
    expect(named(model)).toEqual([]);
    expect(model.layers[0]!.operation).toMatchObject({
      kind: 'unsupported',
      reason: expect.stringMatching(/no_such/),
    });
  });
});

describe('statistics of tensors that share a role', () => {
  const gatesOf = async (shapes: Shapes): Promise<Record<string, readonly string[] | null>> => {
    const { weights } = describeModel(await open(shapes)).layers[0]!;
    return Object.fromEntries(weights.map(({ name, gates }) => [name, gates && Object.keys(gates)]));
  };
  const maxOf = async (shapes: Shapes, name: string, gate: string): Promise<number | null | undefined> =>
    describeModel(await open(shapes)).layers[0]!.weights.find((weight) => weight.name === name)?.gates?.[gate]?.max;

  it('are those of the gate that each holds', async () => {
    const gates = await gatesOf(flax('a'));
    expect(gates).toMatchObject({ 'a.ii.kernel': ['i'], 'a.hf.kernel': ['f'], 'a.ho.bias': ['o'] });
    // Six numbers of ii, then four of hi, two of its bias, and so on.
    expect(await maxOf(flax('a'), 'a.if.kernel', 'f')).toBe(17);
  });

  it('are those of the row that each bias of a GRU is', async () => {
    const dense = [...'rzn'].flatMap((gate) => [
      [`i${gate}.kernel`, [3, 2]],
      [`i${gate}.bias`, [2]],
      [`h${gate}.kernel`, [2, 2]],
    ]);
    const shapes = Object.fromEntries([...dense, ['hn.bias', [2]]]) as Shapes;
    expect(await gatesOf(shapes)).toMatchObject({ 'iz.bias': ['z'], 'hn.bias': ['n'], 'in.kernel': ['n'] });
    expect(await maxOf(shapes, 'in.bias', 'n')).toBe(31);
    expect(await maxOf(shapes, 'hn.bias', 'n')).toBe(37);
  });

  it('of a whole tensor are those of all gates, also where a kernel has two rows', async () => {
    const shapes = { 'dense_i.kernel': [2, 8], 'dense_h.kernel': [2, 8], 'dense_h.bias': [8] };
    expect(await gatesOf(shapes)).toEqual({
      'dense_i.kernel': ['i', 'f', 'g', 'o'],
      'dense_h.kernel': ['i', 'f', 'g', 'o'],
      'dense_h.bias': ['i', 'f', 'g', 'o'],
    });
  });
});

describe('cells written by hand', () => {
  /** Matrices and biases for each gate by a pattern: `%` stands for its letter. */
  const cell = (patterns: Shapes, gates = 'ifgo'): Shapes =>
    Object.fromEntries(
      [...gates].flatMap((gate) =>
        Object.entries(patterns).map(([name, shape]) => [name.replaceAll('%', gate), shape] as const),
      ),
    );
  const plain = { 'W_x%': [3, 2], 'W_h%': [2, 2], 'b_%': [2] };

  it.each<[string, Shapes]>([
    ['W_xi and W_hi', cell(plain)],
    ['Wxi and Whi', cell({ 'Wx%': [3, 2], 'Wh%': [2, 2] })],
    ['W_i and U_i, turned, biases as columns', cell({ 'W_%': [2, 3], 'U_%': [2, 2], 'b_%': [2, 1] }, 'ifco')],
    ['W_ii and W_hi with two biases', cell({ 'W_i%': [2, 3], 'W_h%': [2, 2], 'b_i%': [2], 'b_h%': [2] })],
    ['modules W_i and U_i', cell({ 'W_%.weight': [2, 3], 'W_%.bias': [2], 'U_%.weight': [2, 2] })],
    ['square modules', cell({ 'x2%.weight': [2, 2], 'h2%.weight': [2, 2] })],
  ])('with %s open, and what is assumed is said', async (_, shapes) => {
    const model = await open(shapes);
    expect(named(model)).toEqual(['rnn']);
    expect(model.layers[0]!.weights).toHaveLength(Object.keys(shapes).length);
    expect(said(model)).toEqual(expect.arrayContaining(['equations of rnn', 'activation of rnn']));
  });

  it('with matrices as they lie or turned are the same cell', async () => {
    const kernelOf = async (shapes: Shapes): Promise<readonly number[]> => {
      const operation = (await open(shapes)).layers[0]!.operation;
      return operation.kind === 'recurrent' ? [...operation.forward!.kernel.data] : [];
    };
    const lying = await kernelOf({ 'a.W_xh': [3, 2], 'a.W_hh': [2, 2] });
    const turned = await kernelOf({ 'a.W_xh': [2, 3], 'a.W_hh': [2, 2] });
    expect(lying).toEqual([0, 1, 2, 3, 4, 5]);
    expect(turned).toEqual([0, 3, 1, 4, 2, 5]);
  });

  it.each<[string, Shapes]>([
    ['square arrays, which may be turned', cell({ 'W_x%': [2, 2], 'W_h%': [2, 2] })],
    ['a GRU, whose z has two meanings', cell(plain, 'zrh')],
    ['five gates', cell(plain, 'ifgod')],
    ['three gates', cell(plain, 'ifo')],
    ['two candidates', cell(plain, 'ifgco')],
    ['weights of the cell state at the gates', { ...cell(plain), W_ci: [2], W_cf: [2], W_co: [2] }],
    ['a gate of another size', { ...cell(plain), W_xg: [4, 2] }],
    ['a state of another size', { ...cell(plain), W_hf: [2, 3] }],
    ['a bias of another size', { ...cell(plain), b_o: [3] }],
    ['arrays and modules together', { ...cell({ 'W_%.weight': [2, 3] }), ...cell({ 'U_%': [2, 2] }) }],
    ['one matrix for input and state', cell({ 'W_%.weight': [2, 5] })],
    ['convolutions', cell({ 'Wx%.weight': [2, 3, 1, 1], 'Wh%.weight': [2, 2, 1, 1] })],
    ['two names for one matrix', { ...cell(plain), Wxi: [3, 2] }],
  ])('with %s are only listed', async (_, shapes) => {
    expect(named(await open(shapes))).toEqual([]);
  });
});

describe('cells of TensorFlow 1', () => {
  const lstm = (scope: string, more: Shapes = {}): Shapes =>
    Object.fromEntries(
      Object.entries({ kernel: [5, 8], bias: [8], ...more }).map(([name, shape]) => [`rnn/${scope}/${name}`, shape]),
    );
  const peepholes = { w_i_diag: [2], w_f_diag: [2], w_o_diag: [2] };
  const forgetOf = (model: RecurrentModel): readonly string[] =>
    model.assumptions.filter(({ what }) => what.startsWith('forget bias')).map(({ assumed }) => assumed);

  it('say the forget bias and the activation that are assumed', async () => {
    const model = await open(lstm('lstm_cell', peepholes));
    expect(said(model)).toEqual([
      'activation of rnn/lstm_cell',
      'forget bias of rnn/lstm_cell',
      'bounds of the states of rnn/lstm_cell',
    ]);
    expect(forgetOf(model)).toEqual(['1, added to the stored one']);
    expect(forgetOf(await open(lstm('cudnn_compatible_lstm_cell')))).toEqual([
      '0, as a cell compatible with cuDNN has it',
    ]);
  });

  it('take the activation that the user names', async () => {
    const model = await open(lstm('lstm_cell'), { activation: 'relu' });
    expect(model.layers[0]!.operation).toMatchObject({
      forward: { activation: { name: 'relu' }, outputActivation: { name: 'relu' } },
    });
  });

  it.each<[string, Shapes]>([
    ['two of three peepholes', { w_i_diag: [2], w_f_diag: [2] }],
    ['a peephole of another size', { ...peepholes, w_o_diag: [3] }],
    ['a projection of another size', { 'projection/kernel': [3, 2] }],
    ['a projection to more than the kernel has rows', { 'projection/kernel': [2, 5] }],
  ])('with %s are only listed', async (_, more) => {
    expect(named(await open(lstm('lstm_cell', more)))).toEqual([]);
  });
});

describe('what is no cell is only listed', () => {
  const { 'a.ho.kernel': _, ...without } = flax('a');
  const gru = (join: string): Shapes =>
    Object.fromEntries(
      [...'zrh'].flatMap((gate) => [
        [`a${join}W_${gate}`, [3, 2]],
        [`a${join}U_${gate}`, [2, 2]],
      ]),
    );
  it.each<[string, Shapes]>([
    ['a gate that is missing', without],
    ['a gate of another size', { ...flax('a'), 'a.hg.kernel': [2, 3] }],
    ['a kernel of another size', { ...flax('a'), 'a.io.kernel': [4, 2] }],
    ['a bias of another size', { ...flax('a'), 'a.hf.bias': [3] }],
    ['no units', { 'a.i.kernel': [3, 0], 'a.h.kernel': [0, 0] }],
    ['no features', { 'a.i.kernel': [0, 2], 'a.h.kernel': [2, 2] }],
    ['a GRU written by hand, which could be of any kind', gru('.')],
    ['two layers of a dense block', { 'a.dense_i.kernel': [3, 5], 'a.dense_h.kernel': [5, 25] }],
    ['W and R of one axis too few', { W: [8, 3], R: [8, 2] }],
    ['W and R of three directions', { W: [3, 8, 3], R: [3, 8, 2] }],
    ['W and R of two gates', { W: [1, 4, 3], R: [1, 4, 2] }],
    ['B of another size', { W: [1, 8, 3], R: [1, 8, 2], B: [1, 8] }],
    ['peepholes of a GRU', { W: [1, 6, 3], R: [1, 6, 2], P: [1, 6] }],
    ['w_i and w_h without b', { 'a.w_i': [3, 6], 'a.w_h': [2, 6] }],
    ['linear layers of no RNN', { 'mlp/linear/w': [3, 2], 'mlp/linear_1/w': [2, 2] }],
    ['arrays of dense layers', { arr_0: [3, 4], arr_1: [4], arr_2: [4, 2], arr_3: [2] }],
  ])('%s', async (_, shapes) => {
    const model = await open(shapes);
    expect(named(model)).toEqual([]);
    const listed = model.layers.flatMap(({ weights }) => weights.map(({ name }) => name));
    expect(listed.sort()).toEqual(Object.keys(shapes).sort());
  });

  it('but a GRU of Keras 1 is one', async () => {
    expect(named(await open(gru('_')))).toEqual(['a']);
  });
});

describe('arrays in the layout of ONNX', () => {
  it('say where the reset gate is taken to act, and take the user at their word', async () => {
    const shapes = { W: [1, 6, 3], R: [1, 6, 2], B: [1, 12] };
    const before = await open(shapes);
    expect(before.layers[0]!.operation).toMatchObject({ forward: { resetAfter: false, bias: { shape: [6] } } });
    expect(before.assumptions).toContainEqual(expect.objectContaining({ change: '--reset-after' }));
    const after = await open(shapes, { resetAfter: true });
    expect(after.layers[0]!.operation).toMatchObject({ forward: { resetAfter: true, bias: { shape: [2, 6] } } });
    expect(after.assumptions).not.toContainEqual(expect.objectContaining({ change: '--reset-after' }));
  });
});

describe('names joined by dots', () => {
  it('are told as those joined by slashes, and kept as the file has them', async () => {
    const keras = { 'memory.lstm_cell.kernel': [3, 8], 'memory.lstm_cell.recurrent_kernel': [2, 8] };
    const fused = { 'rnn.basic_lstm_cell.kernel': [5, 8], 'rnn.basic_lstm_cell.bias': [8] };
    const model = await open({ ...keras, ...fused, 'head.bias': [4] });
    expect(named(model)).toEqual(['memory', 'rnn/basic_lstm_cell']);
    const names = model.layers.flatMap(({ weights }) => weights.map(({ name }) => name));
    expect(names).toEqual([...Object.keys(keras), ...Object.keys(fused), 'head.bias']);
  });
});

describe('weights of PyTorch in another form', () => {
  const others = { weight_ih_l0: [8, 3] };
  it.each<[string, Shapes]>([
    ['a size for each row', { weight_hh_l0_g: [8, 1], weight_hh_l0_v: [8, 2] }],
    [
      'of the newer functions',
      { 'parametrizations.weight_hh_l0.original0': [8, 1], 'parametrizations.weight_hh_l0.original1': [8, 2] },
    ],
    ['a spectral norm', { weight_hh_l0_orig: [8, 2], weight_hh_l0_u: [8], weight_hh_l0_v: [2] }],
    ['a weight with dropout', { weight_hh_l0_raw: [8, 2] }],
  ])('%s makes a module, and the form is said', async (_, parts) => {
    const model = await open({ ...others, ...parts });
    expect(named(model)).toEqual(['rnn']);
    expect(said(model)).toEqual(['weight weight_hh_l0']);
  });

  it.each<[string, Shapes]>([
    ['a size too few', { weight_hh_l0_g: [7, 1], weight_hh_l0_v: [8, 2] }],
    ['a direction without its size', { weight_hh_l0_v: [8, 2] }],
    ['a size without its direction', { weight_hh_l0_g: [8, 1] }],
    [
      'vectors of a spectral norm in each other’s place',
      { weight_hh_l0_orig: [8, 2], weight_hh_l0_u: [2], weight_hh_l0_v: [8] },
    ],
    ['an orthogonal one, whose rule is code', { 'parametrizations.weight_hh_l0.original': [8, 2] }],
  ])('%s stays a list of tensors', async (_, parts) => {
    const shapes = { ...others, ...parts };
    const model = await open(shapes);
    expect(named(model)).toEqual([]);
    const listed = model.layers.flatMap(({ weights }) => weights.map(({ name }) => name));
    expect(listed.sort()).toEqual(Object.keys(shapes).sort());
  });
});

describe('arrays without names', () => {
  it('are told by shapes, and each is an assumption', async () => {
    const model = await open({ arr_0: [2, 12], arr_1: [3, 12], arr_2: [12], arr_3: [3, 5], arr_4: [5] });
    expect(named(model)).toEqual(['lstm']);
    expect(said(model)).toContain('layer at arr_0');
  });
});

// A search that goes back and forth over a name does not end before the runner gives up; no clock is needed here.
describe('very many names', () => {
  it('are sorted through in a time that grows with their number', async () => {
    const shapes: Record<string, readonly number[]> = {};
    for (let index = 0; index < 40_000; index++) shapes[`a.${String(index)}.b.h${'.'.repeat(3)}kernel`] = [];
    expect(named(await open(shapes))).toEqual([]);
  });

  it('are looked at as often each, however many there are', async () => {
    const looksPerTensor = async (count: number): Promise<number> => {
      let looks = 0;
      const tensors = Array.from({ length: count }, (_, index): StoredTensor => ({
        get name() {
          looks++;
          return `block.${String(index)}.lstm.kernel`;
        },
        shape: [3, 4],
        dtype: 'float32',
        read: () => Promise.reject(new Error('no tensor of this shape is read')),
      }));
      await readNamedWeights('npz', 'a test', tensors, OPTIONS);
      return looks / count;
    };
    const few = await looksPerTensor(600);
    expect(await looksPerTensor(6000)).toBeLessThanOrEqual(few);
    expect(few).toBeLessThan(20);
  });

  it.each(['lstm', 'a/', '_W', 'basic_rnn', 'module.', 'kernel'])(
    'made of %j again and again cost no more than others',
    async (unit) => {
      const name = unit.repeat(20_000 / unit.length);
      const shapes = Object.fromEntries(['!', '/kernel', '_W_i', '/gates/kernel'].map((end) => [name + end, [1]]));
      expect(named(await open(shapes))).toEqual([]);
    },
  );

  it('of many dots end as soon', async () => {
    const shapes = { [`${'a.'.repeat(100_000)}i.kernel`]: [1, 1], [`${'a.'.repeat(100_000)}h.kernel`]: [1, 1] };
    expect(named(await open(shapes))).toHaveLength(1);
  });
});

describe('a cell written by hand', () => {
  const gates = ['i', 'f', 'g', 'o'];
  const plain: Shapes = Object.fromEntries(
    gates.flatMap((gate) => [[`cell.W_${gate}`, [3, 4]] as const, [`cell.U_${gate}`, [4, 4]] as const]),
  );
  const opens = async (more: Shapes): Promise<boolean> => {
    const bytes = counted({ ...plain, ...more });
    return (await readModel(memorySource(bytes), 'cell.safetensors')).layers.some(isRecurrent);
  };
  const biases = (name: string): Shapes => Object.fromEntries(gates.map((gate) => [`cell.${name}_${gate}`, [4]]));

  it('opens with the biases of its gates', async () => {
    expect(await opens({})).toBe(true);
    expect(await opens(biases('b'))).toBe(true);
    expect(await opens(biases('bias'))).toBe(true);
  });

  it.each([
    ['biases of another scheme', biases('b_h')],
    ['a second matrix for a gate', { 'cell.W_hi': [4, 4] }],
    ['a gate without the matrix of the state', { 'cell.W_z': [3, 4] }],
    ['a bias for a gate that it has not', { ...biases('b'), 'cell.b_z': [4] }],
  ])('does not with %s', async (_, more) => {
    expect(await opens(more)).toBe(false);
  });
});
