/**
 * Variables in the layout of Keras 2: a group per layer whose attribute `weight_names` lists them in order.
 *
 * The group of a nested model holds the variables of all its layers, trainable ones first; they are told apart by the
 * layer's name inside their own names, else by their kind and order.
 */
import type { Hdf5File } from '../../containers/hdf5';
import { takenByName, takenInOrder, type ModelVariables } from './variables';
import type { StoredTensor } from '../../stored-tensor';
import type { KerasWriter } from './context';
import { isGateArray, joinGateArrays } from './keras1-arrays';
import { join } from './tree-variables';

/** A file in the layout of Keras 2. */
export interface FlatWeights extends ModelVariables {
  /** Names of the groups, in the file's order. */
  readonly layerNames: readonly string[];
  /** All variables of a group. */
  variablesOf(layerName: string): Promise<readonly StoredTensor[]>;
}

/**
 * The variables under `base`.
 *
 * @param file - The file.
 * @param base - `model_weights`, or `/` for a weights-only file.
 */
export async function flatVariables(file: Hdf5File, base: string): Promise<FlatWeights> {
  const listed = await file.attribute(base, 'layer_names');
  const layerNames = toStrings(listed) ?? (await file.list(base));
  const variablesOf = (layerName: string): Promise<readonly StoredTensor[]> => readGroup(file, join(base, layerName));
  return {
    layerNames,
    variablesOf,
    layer: async ({ name }) => takenInOrder(join(base, name), await variablesOf(name)),
    inner: async ({ name }) => innerModel(join(base, name), await variablesOf(name)),
  };
}

/**
 * The writer of weights without a version: Keras 1 had an array for each gate.
 *
 * @param file - The file.
 */
export async function flatWriter(file: Hdf5File): Promise<KerasWriter> {
  const base = (await file.kindOf('/model_weights')) === 'group' ? '/model_weights' : '/';
  for (const layer of toStrings(await file.attribute(base, 'layer_names')) ?? []) {
    const path = join(base, layer);
    const names = (await file.kindOf(path)) === 'group' ? toStrings(await file.attribute(path, 'weight_names')) : [];
    if (names?.some(isGateArray) === true) return { generation: 1, version: null };
  }
  return { generation: 2, version: null };
}

async function readGroup(file: Hdf5File, path: string): Promise<readonly StoredTensor[]> {
  if ((await file.kindOf(path)) !== 'group') return [];
  const names = toStrings(await file.attribute(path, 'weight_names')) ?? [];
  const variables: StoredTensor[] = [];
  for (const name of names) {
    const dataset = await file.dataset(join(path, name));
    variables.push({ name, shape: dataset.shape, dtype: dataset.dtype, read: () => dataset.read() });
  }
  return joinGateArrays(variables);
}

/** The layers of a nested model, whose variables lie in one list. */
function innerModel(path: string, variables: readonly StoredTensor[]): ModelVariables {
  const left = [...variables];
  const named = (name: string): readonly StoredTensor[] =>
    variables.filter((variable) => variable.name.split('/').slice(0, -1).includes(name));
  return {
    layer: ({ name }) => {
      const own = named(name);
      return Promise.resolve(
        own.length > 0 ? takenInOrder(join(path, name), own) : takenByName(join(path, name), left, lastPart),
      );
    },
    inner: ({ name }) => {
      const own = named(name);
      return Promise.resolve(innerModel(join(path, name), own.length > 0 ? own : variables));
    },
  };
}

/**
 * The last part of a variable's name without TensorFlow's `:0`.
 *
 * @param name - `memory/lstm_cell/kernel:0`
 */
export function lastPart(name: string): string {
  return (name.split('/').at(-1) ?? name).replace(/:\d+$/, '');
}

function toStrings(value: unknown): readonly string[] | null {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) return null;
  return value.filter((item): item is string => typeof item === 'string');
}
