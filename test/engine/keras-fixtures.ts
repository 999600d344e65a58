/** The models that Keras itself made, with what it computes, as the engine's tests use them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRecurrent, type RecurrentLayer, type RecurrentModel } from '../../src/core/model';
import type { Tensor } from '../../src/core/tensor';
import type { InitialState, LayerInput } from '../../src/engine/engine';
import { memorySource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';
import { readNpzFile, type FixtureArray } from './read-npz';

const FOLDER = join(import.meta.dirname, '../fixtures/keras');

/** A fixture as its maker describes it. */
export interface KerasFixture {
  readonly name: string;
  readonly file: string;
  /** Another file of the same model: the architecture beside its weights, or a shard. */
  readonly companion?: string;
  readonly layer: string;
  readonly units: number;
  readonly direction: 'forward' | 'backward' | 'bidirectional';
  readonly input: 'input' | 'ids';
  readonly options: Readonly<Record<string, unknown>>;
}

/** A fixture that is opened. */
export interface OpenFixture {
  readonly model: RecurrentModel;
  readonly index: number;
  readonly layer: RecurrentLayer;
  readonly expected: ReadonlyMap<string, FixtureArray>;
}

/** All fixtures in the folder. */
export const KERAS_FIXTURES: readonly KerasFixture[] = readdirSync(FOLDER)
  .filter((name) => existsSync(join(FOLDER, name, 'fixture.json')))
  .sort()
  .map((name) => JSON.parse(readFileSync(join(FOLDER, name, 'fixture.json'), 'utf8')) as KerasFixture);

/** Reads a fixture's model and numbers. */
export async function openFixture({
  name,
  file,
  companion,
  layer: wanted,
  options,
}: KerasFixture): Promise<OpenFixture> {
  const folder = join(FOLDER, name);
  const text = (key: string): string | null => (typeof options[key] === 'string' ? options[key] : null);
  const model = await readModel(memorySource(readFileSync(join(folder, file))), file, {
    openBeside: (name) => (name === companion ? memorySource(readFileSync(join(folder, name))) : null),
    activation: text('activation'),
    recurrentActivation: text('recurrent-activation'),
    resetAfter: typeof options['reset-after'] === 'boolean' ? options['reset-after'] : null,
  });
  const index = model.layers.findIndex((layer) => layer.name === wanted);
  const layer = model.layers[index];
  if (!layer || !isRecurrent(layer)) {
    throw new Error(
      `${name}: no recurrent layer ${wanted} among ${model.layers.map((found) => found.name).join(', ')}`,
    );
  }
  return { model, index, layer, expected: readNpzFile(join(folder, 'expected.npz')) };
}

/** The model's input tensors in order. */
export function modelInputs({ model, expected }: OpenFixture): Tensor[] {
  return model.inputs.map((_, position) => {
    const array = expected.get(position === 0 ? 'input' : `input_${position}`);
    if (!array) throw new Error(`no array for input ${position}`);
    return array;
  });
}

/** The layer's own input, for fixtures that are made at the layer. */
export function layerInput(fixture: KerasFixture, { layer, expected }: OpenFixture): LayerInput {
  const need = (name: string): Tensor<Float64Array> => {
    const array = expected.get(name);
    if (!array) throw new Error(`${fixture.name} has no ${name}`);
    return { shape: array.shape, data: Float64Array.from(array.data) };
  };
  const mask = fixture.options['mask'] === undefined ? null : need('mask');
  const initialState: { forward?: InitialState; backward?: InitialState } = {};
  if (fixture.options['initial-state'] !== undefined) {
    let start = 0;
    for (const direction of ['forward', 'backward'] as const) {
      const cell = layer.operation[direction];
      if (!cell) continue;
      const columns = (tensor: Tensor<Float64Array>): Tensor<Float64Array> => {
        const [batch, width] = tensor.shape;
        const rows = Array.from({ length: batch }, (_, b) => [
          ...tensor.data.subarray(b * width + start, b * width + start + cell.units),
        ]);
        return { shape: [batch, cell.units], data: Float64Array.from(rows.flat()) };
      };
      initialState[direction] = { h0: columns(need('h0')), c0: cell.kind === 'LSTM' ? columns(need('c0')) : null };
      start += cell.units;
    }
  }
  return {
    x: need('x'),
    backwardX: null,
    mask: mask && { shape: mask.shape, data: Uint8Array.from(mask.data) },
    initialState,
  };
}
