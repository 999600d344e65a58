/**
 * Measures the memory of opening files: `node scripts/verify/opening-memory.mjs [FILE...]`, Linux only, after `npm run build`.
 *
 * Makes files of every format with an embedding of 300 MB and an LSTM of 8 MB, then of 100 MB, in a temporary folder (or
 * takes those that are given), then files that are made to take much memory (crafted-files.mjs), has each read by the
 * program's own reader process as `inspect` and as the window do, and holds the most that this process ever had resident,
 * less what it had when idle, against what is promised: twice the tensors kept and 150 MB for any file; for `inspect` of
 * safetensors, PyTorch and `.npz`, where one LSTM is measured and not kept, 150 MB. A crafted file may be refused for
 * exceeding a limit. Ends with 1 where a file takes more. SavedModels and checkpoints are measured when they are given.
 */
import { closeSync, mkdtempSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import h5wasm from 'h5wasm/node';
import { CRAFTED } from './crafted-files.mjs';
import { field, uint32, writeZip } from './file-parts.mjs';
import { measure } from './reader-memory.mjs';

await h5wasm.ready;

const MEGABYTE = 1e6;
const SPARE = 150 * MEGABYTE;
/** Units, inputs, words: an LSTM of 8 MB, and one of 100 MB. */
const SIZES = [
  [512, 512, 150_000],
  [2048, 1024, 75_000],
];
let [UNITS, SIZE, WORDS] = SIZES[0];
let TENSORS = [];

/** Names as PyTorch has them; few values, so that deflating takes seconds and not minutes. */
function choose(size) {
  [UNITS, SIZE, WORDS] = size;
  TENSORS = [
    ['emb.weight', [WORDS, SIZE]],
    ['lstm.weight_ih_l0', [4 * UNITS, SIZE]],
    ['lstm.weight_hh_l0', [4 * UNITS, UNITS]],
    ['lstm.bias_ih_l0', [4 * UNITS]],
    ['lstm.bias_hh_l0', [4 * UNITS]],
  ];
}
const countOf = (shape) => shape.reduce((product, size) => product * size, 1);

function bytesOf(shape) {
  const values = new Float32Array(countOf(shape));
  for (let index = 0; index < values.length; index++)
    values[index] = ((Math.imul(index, 2654435761) >>> 26) - 32) / 256;
  return Buffer.from(values.buffer);
}

function npyOf(shape) {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const header = Buffer.from(`${text.padEnd(117)}\n`);
  const prefix = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
  return Buffer.concat([prefix, header, bytesOf(shape)]);
}

function* npyEntries(isDeflated) {
  for (const [name, shape] of TENSORS) yield { name: `${name}.npy`, bytes: npyOf(shape), isDeflated };
}

/** A state dict: a pickle of views, and a storage for each. */
function* torchEntries() {
  const text = (value) => Buffer.concat([Buffer.from('X'), uint32(value.length), Buffer.from(value)]);
  const number = (value) => Buffer.concat([Buffer.from('J'), uint32(value)]);
  const tuple = (values) => Buffer.concat([Buffer.from('('), ...values, Buffer.from('t')]);
  const tensors = TENSORS.flatMap(([name, shape], index) => {
    const [count, strides] = [countOf(shape), shape.map((_, axis) => countOf(shape.slice(axis + 1)))];
    const id = tuple([
      text('storage'),
      Buffer.from('ctorch\nFloatStorage\n'),
      text(String(index)),
      text('cpu'),
      number(count),
    ]);
    const parts = [
      id,
      Buffer.from('Q'),
      number(0),
      tuple(shape.map(number)),
      tuple(strides.map(number)),
      Buffer.from('\x89', 'latin1'),
    ];
    const hooks = Buffer.from('ccollections\nOrderedDict\n)R');
    return [text(name), Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n'), tuple([...parts, hooks]), Buffer.from('R')];
  });
  const pickle = Buffer.concat([Buffer.from('\x80\x02}(', 'latin1'), ...tensors, Buffer.from('u.')]);
  yield { name: 'm/data.pkl', bytes: pickle };
  for (const [index, [, shape]] of TENSORS.entries()) yield { name: `m/data/${index}`, bytes: bytesOf(shape) };
}

function writeSafetensors(path) {
  let end = 0;
  const header = Object.fromEntries(
    TENSORS.map(([name, shape]) => [name, { dtype: 'F32', shape, data_offsets: [end, (end += 4 * countOf(shape))] }]),
  );
  const text = Buffer.from(JSON.stringify(header));
  const file = openSync(path, 'w');
  writeSync(file, Buffer.concat([uint32(text.length), uint32(0), text]));
  for (const [, shape] of TENSORS) writeSync(file, bytesOf(shape));
  closeSync(file);
}

/** Here the embedding below the LSTM is kept, too. */
function writeTfjs(folder) {
  const layer = (name, kind, config, below) => ({
    class_name: kind,
    name,
    config: { name, ...config },
    inbound_nodes: below,
  });
  const layers = [
    layer('x', 'InputLayer', { batch_input_shape: [null, null], dtype: 'int32' }, []),
    layer('emb', 'Embedding', { input_dim: WORDS, output_dim: SIZE }, [[['x', 0, 0, {}]]]),
    layer('lstm', 'LSTM', { units: UNITS, activation: 'tanh', recurrent_activation: 'sigmoid' }, [[['emb', 0, 0, {}]]]),
  ];
  const config = { name: 'm', layers, input_layers: [['x', 0, 0]], output_layers: [['lstm', 0, 0]] };
  const weights = [
    ['emb/embeddings', [WORDS, SIZE]],
    ['lstm/lstm_cell/kernel', [SIZE, 4 * UNITS]],
    ['lstm/lstm_cell/recurrent_kernel', [UNITS, 4 * UNITS]],
    ['lstm/lstm_cell/bias', [4 * UNITS]],
  ].map(([name, shape]) => ({ name, shape, dtype: 'float32' }));
  mkdirSync(folder);
  const manifest = weights.map((weight, index) => ({ paths: [`shard${index}.bin`], weights: [weight] }));
  for (const [index, { shape }] of weights.entries()) writeFileSync(join(folder, `shard${index}.bin`), bytesOf(shape));
  const topology = { keras_version: '2.11.0', backend: 'tensorflow', model_config: { class_name: 'Model', config } };
  const model = {
    format: 'layers-model',
    generatedBy: 'keras v2.11.0',
    modelTopology: topology,
    weightsManifest: manifest,
  };
  writeFileSync(join(folder, 'model.json'), JSON.stringify(model));
}

function writeOnnx(path) {
  const message = (...parts) => Buffer.concat(parts);
  const tensor = (name, shape) =>
    field(5, message(...shape.map((size) => field(1, size)), field(2, 1), field(8, name), field(9, bytesOf(shape))));
  const value = (name, kind, sizes) => {
    const shape = message(...sizes.map((size) => field(1, typeof size === 'number' ? field(1, size) : field(2, size))));
    return message(field(1, name), field(2, field(1, message(field(1, kind), field(2, shape)))));
  };
  const node = (kind, inputs, output, ...rest) =>
    field(1, message(...inputs.map((name) => field(1, name)), field(2, output), field(4, kind), ...rest));
  const units = field(5, message(field(1, 'hidden_size'), field(3, UNITS), field(20, 2)));
  const graph = message(
    node('Gather', ['emb', 'ids'], 'x'),
    node('LSTM', ['x', 'W', 'R', 'B'], 'y', units),
    field(2, 'm'),
    tensor('emb', [WORDS, SIZE]),
    tensor('W', [1, 4 * UNITS, SIZE]),
    tensor('R', [1, 4 * UNITS, UNITS]),
    tensor('B', [1, 8 * UNITS]),
    field(11, value('ids', 7, ['T', 'N'])),
    field(12, value('y', 1, ['T', 1, 'N', UNITS])),
  );
  writeFileSync(path, message(field(1, 8), field(7, graph), field(8, message(field(1, ''), field(2, 17)))));
}

const EMBEDDING = () => ({ name: 'emb', input_dim: WORDS, output_dim: SIZE });
const CELL = () => ({ name: 'lstm', units: UNITS, activation: 'tanh', recurrent_activation: 'sigmoid' });
const sequential = (input) => ({
  class_name: 'Sequential',
  config: {
    name: 'm',
    layers: [
      { class_name: 'InputLayer', config: { name: 'x', dtype: 'int32', ...input } },
      { class_name: 'Embedding', config: EMBEDDING() },
      { class_name: 'LSTM', config: CELL() },
    ],
  },
});

function writeDataset(file, name, shape) {
  file.create_dataset({ name, data: new Float32Array(bytesOf(shape).buffer), shape, dtype: '<f4' });
}

const KERNELS = () => [[SIZE, 4 * UNITS], [UNITS, 4 * UNITS], [4 * UNITS]];

function writeHdf5(path) {
  const file = new h5wasm.File(path, 'w');
  file.create_attribute('keras_version', '2.15.0');
  file.create_attribute('backend', 'tensorflow');
  file.create_attribute('model_config', JSON.stringify(sequential({ batch_input_shape: [null, null] })));
  const weights = file.create_group('model_weights');
  weights.create_attribute('layer_names', ['emb', 'lstm']);
  const names = ['kernel', 'recurrent_kernel', 'bias'].map((name) => `lstm/lstm_cell/${name}:0`);
  const groupOf = (layer, inner, listed) => {
    const group = file.create_group(`model_weights/${layer}`);
    group.create_attribute('weight_names', listed);
    file.create_group(`model_weights/${layer}/${layer}`);
    if (inner) file.create_group(`model_weights/${layer}/${layer}/${inner}`);
  };
  groupOf('emb', null, ['emb/embeddings:0']);
  writeDataset(file, 'model_weights/emb/emb/embeddings:0', [WORDS, SIZE]);
  groupOf('lstm', 'lstm_cell', names);
  for (const [at, shape] of KERNELS().entries()) writeDataset(file, `model_weights/lstm/${names[at]}`, shape);
  file.close();
}

function writeKeras(path) {
  const weights = `${path}.h5`;
  const file = new h5wasm.File(weights, 'w');
  for (const group of ['layers', 'layers/embedding', 'layers/embedding/vars', 'layers/lstm', 'layers/lstm/cell'])
    file.create_group(group);
  file.create_group('layers/lstm/cell/vars');
  writeDataset(file, 'layers/embedding/vars/0', [WORDS, SIZE]);
  for (const [at, shape] of KERNELS().entries()) writeDataset(file, `layers/lstm/cell/vars/${at}`, shape);
  file.close();
  const text = (name, value) => ({ name, bytes: Buffer.from(JSON.stringify(value)) });
  writeZip(path, [
    text('metadata.json', { keras_version: '3.5.0' }),
    text('config.json', sequential({ batch_shape: [null, null] })),
    { name: 'model.weights.h5', bytes: readFileSync(weights) },
  ]);
  rmSync(weights);
}

const MAKERS = {
  'state.pt': (path) => writeZip(path, torchEntries()),
  'weights.safetensors': writeSafetensors,
  'stored.npz': (path) => writeZip(path, npyEntries(false)),
  'deflated.npz': (path) => writeZip(path, npyEntries(true)),
  tfjs: writeTfjs,
  'model.onnx': writeOnnx,
  'model.h5': writeHdf5,
  'model.keras': writeKeras,
};

/** What the command and the window ask of the reader. */
const JOBS = {
  inspect: { describe: true, hash: false, withoutModel: true },
  window: { describe: true, hash: true },
};

function show(path, job, peak, kept, bound) {
  const [inKept, inPeak, inBound] = [kept, peak, bound].map((bytes) =>
    `${Math.round(bytes / MEGABYTE)} MB`.padStart(8),
  );
  const verdict = peak > bound ? '  TOO MUCH' : '';
  console.log(`${basename(path).padEnd(22)} ${job.padEnd(8)} kept${inKept}  peak${inPeak}  bound${inBound}${verdict}`);
  if (peak > bound) process.exitCode = 1;
}

/** Of what is told from these, weights are measured and not kept. */
const IS_MEASURED = /\.(pt|safetensors|npz)$/;

/** One file as the window and as the command read it; the window first: it is told what is kept. */
async function compare(path, mayBeRefused = false) {
  const window = await measure(path, JOBS.window, mayBeRefused);
  const inspect = await measure(path, JOBS.inspect, mayBeRefused);
  const bound = 2 * window.kept + SPARE;
  show(path, 'window', window.peak, window.kept, bound);
  show(path, 'inspect', inspect.peak, window.kept, IS_MEASURED.test(path) ? SPARE : bound);
}

const folder = mkdtempSync(join(tmpdir(), 'tempograd-memory-'));
try {
  const given = process.argv.slice(2);
  for (const path of given) await compare(path);
  const made = given.length > 0 ? [] : SIZES.flatMap((size) => Object.entries(MAKERS).map((maker) => [...maker, size]));
  for (const [name, make, size] of made) {
    const file = join(folder, name);
    choose(size);
    make(file);
    await compare(file);
    rmSync(file, { recursive: true });
  }
  for (const [name, make] of given.length > 0 ? [] : Object.entries(CRAFTED)) {
    const file = join(folder, name);
    make(file);
    await compare(file, true);
    rmSync(file);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
