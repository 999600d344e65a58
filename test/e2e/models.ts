/**
 * Files that the window is tested with: fixtures made by Keras, and data made here.
 */
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { File as Hdf5File, ready } from 'h5wasm/node';
import { openZip } from '../../src/readers/containers/zip';
import { DEFAULT_LIMITS } from '../../src/readers/limits';
import { writeZip } from '../readers/containers/write-zip';
import { makeFolder, ROOT } from './launch-app';

/** A good model: LSTM `memory`, 4 units, 3 features, any number of steps. */
export const LSTM_MODEL = join(ROOT, 'test/fixtures/keras/keras3-act-lstm-celu/model.keras');

/** Another good model of another format. */
export const GRU_MODEL = join(ROOT, 'test/fixtures/keras/keras3-act-gru-elu/model.keras');

/** The sample that carries: LSTM `service_memory`, 32 units, 8 features. */
export const CARRYING_MODEL = join(ROOT, 'resources/samples/carrying-lstm.keras');

/** A folder with files of every kind that a user may drop. */
export interface DropFolder {
  readonly folder: string;
  /** `[T, 3]` numbers with a header, which fit `LSTM_MODEL`. */
  readonly table: string;
  /** `[T, 8]`, which fit the samples. */
  readonly eightColumns: string;
  /** `[T, 5]`, which fit none. */
  readonly wideTable: string;
  /** A model cut in half. */
  readonly truncated: string;
  /** A text that calls itself a model. */
  readonly text: string;
  /** A folder that holds one model. */
  readonly modelFolder: string;
}

/** Files of every kind, in a fresh folder. */
export function makeDropFolder(): DropFolder {
  const folder = makeFolder('drop');
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('sensors.csv'), tableOf(['speed', 'load', 'heat'], 40));
  writeFileSync(path('eight.csv'), tableOf(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], 150));
  writeFileSync(path('wide.csv'), tableOf(['a', 'b', 'c', 'd', 'e'], 40));
  copyFileSync(LSTM_MODEL, path('cut.keras'));
  truncateSync(path('cut.keras'), Math.floor(readFileSync(LSTM_MODEL).length / 2));
  writeFileSync(path('notes.keras'), 'This is no model.\n');
  mkdirSync(path('checkpoint'));
  copyFileSync(GRU_MODEL, join(path('checkpoint'), 'last.keras'));
  writeFileSync(join(path('checkpoint'), 'README.txt'), 'made by a test\n');
  return {
    folder,
    table: path('sensors.csv'),
    eightColumns: path('eight.csv'),
    wideTable: path('wide.csv'),
    truncated: path('cut.keras'),
    text: path('notes.keras'),
    modelFolder: path('checkpoint'),
  };
}

/**
 * A Keras 2 file with one LSTM `memory` of 8 features and any number of steps; its weights repeat from run to run.
 *
 * @param path - The file; it ends in `.h5`.
 * @param units - H.
 */
export async function writeLstm(path: string, units: number): Promise<void> {
  await ready;
  const input = { batch_input_shape: [null, null, 8], dtype: 'float32', name: 'x' };
  const memory = { name: 'memory', units, activation: 'tanh', recurrent_activation: 'sigmoid', use_bias: true };
  const layers = [
    { class_name: 'InputLayer', config: input },
    { class_name: 'LSTM', config: { ...memory, return_sequences: true } },
  ];
  const file = new Hdf5File(path, 'w');
  file.create_attribute('model_config', JSON.stringify({ class_name: 'Sequential', config: { name: 'long', layers } }));
  file.create_attribute('keras_version', '2.15.0');
  file.create_attribute('backend', 'tensorflow');
  const weights = file.create_group('model_weights');
  weights.create_attribute('layer_names', ['x', 'memory']);
  weights.create_group('x');
  const layer = weights.create_group('memory');
  layer.create_attribute('weight_names', ['memory/kernel:0', 'memory/recurrent_kernel:0', 'memory/bias:0']);
  const tensors = layer.create_group('memory');
  const gates = 4 * units;
  const write = (name: string, shape: number[], size: number): void => {
    const count = shape.reduce((product, axis) => product * axis, 1);
    const data = Float32Array.from({ length: count }, (_, at) => size * Math.sin(at * 12.9898 + (at % 7)));
    tensors.create_dataset({ name, data, shape, dtype: '<f' });
  };
  write('kernel:0', [8, gates], 0.3);
  write('recurrent_kernel:0', [units, gates], 1.5 / Math.sqrt(units));
  write('bias:0', [gates], 1);
  file.close();
}

/** A table with a header; the numbers repeat from run to run. */
function tableOf(columns: readonly string[], rows: number): string {
  const lines = Array.from({ length: rows }, (_, row) =>
    columns.map((_name, column) => Math.sin(row * 0.7 + column).toFixed(4)).join(','),
  );
  return `${columns.join(',')}\n${lines.join('\n')}\n`;
}

/**
 * An honest model with a padded description: its archive has an entry that becomes some thousand times larger.
 *
 * @param path - The file; it ends in `.keras`.
 */
export async function writePaddedModel(path: string): Promise<void> {
  const bytes = readFileSync(LSTM_MODEL);
  const source = {
    size: bytes.length,
    read: (offset: number, length: number) => bytes.subarray(offset, offset + length),
  };
  const archive = await openZip(source, DEFAULT_LIMITS);
  const entries = await Promise.all(
    archive.names.map(async (name) => {
      const content = await archive.read(name);
      if (name !== 'config.json') return { name, bytes: content };
      const padded = Buffer.concat([content, Buffer.alloc(4e6, ' ')]);
      return { name, bytes: deflateRawSync(padded), method: 8, inflatedSize: padded.length, crc: crc32(padded) };
    }),
  );
  writeFileSync(path, writeZip(entries));
}

/**
 * A folder with models of several formats, one of them in a folder of its own.
 *
 * @returns Its path; in it `2.keras`, `10.keras`, `policy.pt`, `voice.onnx` and `checkpoint/model.ckpt.index`.
 */
export function makeModelFolder(): string {
  const folder = makeFolder('models');
  const fixture = (name: string): string => join(ROOT, 'test/fixtures', name);
  copyFileSync(LSTM_MODEL, join(folder, '2.keras'));
  copyFileSync(GRU_MODEL, join(folder, '10.keras'));
  copyFileSync(fixture('torch/lstm/model.pt'), join(folder, 'policy.pt'));
  copyFileSync(fixture('onnx/gru-clip/model.onnx'), join(folder, 'voice.onnx'));
  mkdirSync(join(folder, 'checkpoint'));
  for (const name of ['model.ckpt.index', 'model.ckpt.data-00000-of-00001']) {
    copyFileSync(fixture(`checkpoint/lstm/${name}`), join(folder, 'checkpoint', name));
  }
  return folder;
}
