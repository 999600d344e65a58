import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { lookOfModel, modelOfFolder, roleOf } from '../../src/host/file-role';
import { writeZip } from '../readers/containers/write-zip';

const root = mkdtempSync(join(tmpdir(), 'tempograd-role-'));
afterAll(() => rmSync(root, { recursive: true }));

/** A TensorFlow table is told by its last eight bytes. */
const TABLE = Uint8Array.from([...new Uint8Array(40), 0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
const HEADER = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
const SAFETENSORS = Uint8Array.from([HEADER.length, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from(HEADER), 0, 0, 0, 0]);
const PICKLE = Uint8Array.of(0x80, 2, 0x7d, 0x71, 0, 0x2e);
/** schema_version 1 and one empty graph. */
const SAVED_MODEL = Uint8Array.of(0x08, 1, 0x12, 0);

let count = 0;

function folderOf(files: Readonly<Record<string, Uint8Array | string>>): string {
  const folder = join(root, `folder-${String(++count)}`);
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

const chosen = (files: Readonly<Record<string, Uint8Array | string>>): string =>
  basename(modelOfFolder(folderOf(files)));

describe('roleOf', () => {
  it.each([
    ['weights.safetensors', SAFETENSORS, 'model'],
    ['state.pt', PICKLE, 'model'],
    ['model.ckpt.index', TABLE, 'model'],
    ['saved_model.pb', SAVED_MODEL, 'model'],
    ['model.json', '{"modelTopology": {}, "weightsManifest": []}', 'model'],
    ['architecture.json', '{"class_name": "Sequential"}', null],
    ['tool.tflite', Uint8Array.from([0x1c, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33]), null],
  ])('takes %s by its content', (name, content, role) => {
    expect(roleOf(join(folderOf({ [name]: content }), name))).toBe(role);
  });
});

describe('lookOfModel', () => {
  it.each([
    ['keras/keras3-lstm/model.keras', 'Keras', true],
    ['torch/lstm/model.pt', 'PyTorch', true],
    ['torch/lstm-legacy/model.pt', 'PyTorch', true],
    ['torch/lstm-script/model.pt', 'PyTorch', true],
    ['safetensors/lstm-safetensors/model.safetensors', 'safetensors', true],
    ['safetensors/gru-sharded/model.safetensors.index.json', 'Shards of weights', false],
    ['onnx/gru-clip/model.onnx', 'ONNX', true],
    ['tfjs/graph-lstm/model.json', 'TensorFlow.js', false],
    ['checkpoint/lstm/model.ckpt.index', 'TensorFlow checkpoint', false],
    ['saved-model/bidirectional/saved_model.pb', 'TensorFlow SavedModel', false],
  ])('says what %s is', (name, kind, isWhole) => {
    const path = fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
    expect(lookOfModel(path)).toEqual({ kind, isWhole });
  });

  it.each(['metadata.json', 'config.json', 'model.weights.h5', 'model.weights.npz', 'model.weights.json'])(
    'knows a .keras archive whose first entry is %s',
    (name) => {
      const path = join(folderOf({ 'm.keras': writeZip([{ name, bytes: Uint8Array.of(0) }]) }), 'm.keras');
      expect(lookOfModel(path)).toEqual({ kind: 'Keras', isWhole: true });
      expect(roleOf(path)).toBe('model');
    },
  );
});

describe('modelOfFolder', () => {
  it('takes the graph of a SavedModel before all else', () => {
    expect(chosen({ 'saved_model.pb': SAVED_MODEL, 'extra.pt': PICKLE })).toBe('saved_model.pb');
  });

  it('takes an index for the shards that it names', () => {
    const index = '{"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}';
    expect(
      chosen({
        'model.safetensors.index.json': index,
        'part-1.safetensors': SAFETENSORS,
        'part-2.safetensors': SAFETENSORS,
      }),
    ).toBe('model.safetensors.index.json');
  });

  it('asks which one, where a model stands beside an index that does not name it', () => {
    const index = '{"weight_map": {"a": "part-1.safetensors"}}';
    const folder = folderOf({ 'i.json': index, 'part-1.safetensors': SAFETENSORS, 'other.pt': PICKLE });
    expect(() => modelOfFolder(folder)).toThrowError(
      expect.objectContaining({ code: 'reader/unknown-format', remedy: 'Give one of them: i.json, other.pt.' }),
    );
  });

  it('takes the checkpoint that the folder calls its newest', () => {
    const files = { 'model-1.index': TABLE, 'model-2.index': TABLE };
    expect(chosen({ ...files, checkpoint: 'model_checkpoint_path: "model-2"\n' })).toBe('model-2.index');
    expect(() => modelOfFolder(folderOf(files))).toThrowError(/2 model files/);
    expect(() => modelOfFolder(folderOf({ ...files, checkpoint: 'model_checkpoint_path: "gone"\n' }))).toThrowError(
      /2 model files/,
    );
  });
});
