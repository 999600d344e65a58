/** Small files that are made to take much memory: very many objects, and arrays that are computed from few bytes. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { field, uint32, writeZip } from './file-parts.mjs';

const message = (...parts) => Buffer.concat(parts);
const many = (count, make) => Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
const float32 = (...values) => Buffer.from(Float32Array.from(values).buffer);

function tensor(name, shape, bytes) {
  return field(5, message(...shape.map((size) => field(1, size)), field(2, 1), field(8, name), field(9, bytes)));
}

function node(kind, inputs, output, ...rest) {
  return field(1, message(...inputs.map((name) => field(1, name)), field(2, output), field(4, kind), ...rest));
}

const attribute = (name, ...rest) => field(5, message(field(1, name), ...rest));
const lstm = (kernel) => node('LSTM', ['x', kernel, 'R'], 'y', attribute('hidden_size', field(3, 1), field(20, 2)));

/** A model of one LSTM of one unit, with more around it. */
function onnx(kernel, ...more) {
  const type = field(
    1,
    message(
      field(1, 1),
      field(
        2,
        many(3, () => field(1, field(2, 'T'))),
      ),
    ),
  );
  const value = (name) => message(field(1, name), field(2, type));
  const own = [tensor('W', [1, 4, 2], float32(...Array(8).fill(0.1))), tensor('R', [1, 4, 1], float32(1, 2, 3, 4))];
  const graph = message(lstm(kernel), ...own, ...more, field(2, 'm'), field(11, value('x')), field(12, value('y')));
  return message(field(1, 8), field(7, graph), field(8, message(field(1, ''), field(2, 17))));
}

/** Arrays of 20 MB, each computed from the one before, and each taken by one more node. */
function chain() {
  const numbers = 5_000_000;
  const nodes = Array.from({ length: 15 }, (_, index) => {
    const [before, name] = [index === 0 ? 'A' : `a${index - 1}`, `a${index}`];
    return message(node('Neg', [before], name), node('Relu', [name], `q${index}`));
  });
  const bounds = ['axes', 'starts', 'ends'].map((name, at) => attribute(name, field(8, [2, 0, 2][at]), field(20, 7)));
  const large = tensor('A', [1, 4, numbers / 4], Buffer.alloc(4 * numbers));
  return onnx('W2', ...nodes, node('Slice', ['a14'], 'W2', ...bounds), large);
}

const text = (value) => message(Buffer.from('X'), uint32(value.length), Buffer.from(value));

/** A state dict of tensors that are all views of one storage. */
function pickledTensors(count) {
  const view = message(
    Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n(('),
    text('storage'),
    Buffer.from('ctorch\nFloatStorage\n'),
    text('0'),
    text('cpu'),
    Buffer.from('K\x04tQK\x00K\x02K\x02\x86K\x02K\x01\x86\x89ccollections\nOrderedDict\n)RtR', 'latin1'),
  );
  const entries = many(count, (index) => message(text(`l${index}.w`), view));
  return message(Buffer.from('\x80\x02}(', 'latin1'), entries, Buffer.from('u.'));
}

/** One array under very many names. */
function pickledVariables(count) {
  const array = (shape, type, content) =>
    message(
      Buffer.from('cnumpy.core.multiarray\n_reconstruct\n)R(K\x01', 'latin1'),
      shape,
      Buffer.from('cnumpy\ndtype\n'),
      text(type),
      Buffer.from('\x85R\x89', 'latin1'),
      content,
      Buffer.from('tb'),
    );
  const numbers = message(Buffer.from('C\x10', 'latin1'), float32(1, 2, 3, 4));
  const first = message(array(Buffer.from('K\x02K\x02\x86', 'latin1'), 'f4', numbers), Buffer.from('q\0', 'latin1'));
  const entries = many(count, (index) =>
    message(text(String(index)), index === 0 ? first : Buffer.from('h\0', 'latin1')),
  );
  const variables = message(Buffer.from(']}('), entries, Buffer.from('ua'));
  return message(Buffer.from('\x80\x02', 'latin1'), array(Buffer.from(')'), 'O8', variables), Buffer.from('.'));
}

function npyObject(pickle) {
  const header = Buffer.from(`${"{'descr': '|O', 'fortran_order': False, 'shape': (), }".padEnd(117)}\n`);
  return message(Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]), header, pickle);
}

function writeKerasOfPickles(path) {
  const inner = `${path}.npz`;
  writeZip(inner, [{ name: 'layers/dense.npy', bytes: npyObject(pickledVariables(200_000)), isDeflated: true }]);
  const json = (name, value) => ({ name, bytes: Buffer.from(JSON.stringify(value)) });
  const config = { class_name: 'Sequential', config: { name: 'm', layers: [] } };
  writeZip(path, [
    json('metadata.json', { keras_version: '3.5.0' }),
    json('config.json', config),
    { name: 'model.weights.npz', bytes: readFileSync(inner) },
  ]);
  rmSync(inner);
}

function writeTorch(path, pickle) {
  writeZip(path, [
    { name: 'm/data.pkl', bytes: pickle },
    { name: 'm/data/0', bytes: float32(1, 2, 3, 4) },
  ]);
}

/** Makes each file at a path; the counts ending in `-below` stay just below the cap on objects. */
export const CRAFTED = {
  'computed-chain.onnx': (path) => writeFileSync(path, chain()),
  'initializers.onnx': (path) =>
    writeFileSync(
      path,
      onnx(
        'W',
        many(190_000, (at) => tensor(`t${at}`, [1], float32(1))),
      ),
    ),
  'initializers-below.onnx': (path) =>
    writeFileSync(
      path,
      onnx(
        'W',
        many(82_000, (at) => tensor(`t${at}`, [1], float32(1))),
      ),
    ),
  'single-floats.onnx': (path) => {
    const numbers = many(900_000, () => Buffer.from([0x25, 0, 0, 0, 0]));
    writeFileSync(path, onnx('W', field(5, message(field(1, 900_000), field(2, 1), numbers, field(8, 'Q')))));
  },
  'attributes.onnx': (path) =>
    writeFileSync(
      path,
      onnx(
        'W',
        node(
          'Foo',
          ['x'],
          'q',
          many(900_000, (at) => attribute(String(at))),
        ),
      ),
    ),
  'attributes-below.onnx': (path) =>
    writeFileSync(
      path,
      onnx(
        'W',
        node(
          'Foo',
          ['x'],
          'q',
          many(110_000, (at) => attribute(String(at))),
        ),
      ),
    ),
  'variables.keras': writeKerasOfPickles,
  'tensors.pt': (path) => writeTorch(path, pickledTensors(190_000)),
  'tensors-below.pt': (path) => writeTorch(path, pickledTensors(20_000)),
  'open-values.pt': (path) =>
    writeTorch(path, message(Buffer.from('\x80\x02(', 'latin1'), Buffer.alloc(9_000_000, 'K1'), Buffer.from('l.'))),
};
