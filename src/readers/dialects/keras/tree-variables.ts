/**
 * Variables in the layout of `.weights.h5` and `.keras`: groups by class and order, `vars/0`, `vars/1` ..
 *
 * The user's layer name is the `name` attribute of a layer's `vars` group in Keras 3; where that is missing, as in
 * tf-keras, the class in snake case and its number among the layers of that class decide.
 */
import type { Hdf5File } from '../../containers/hdf5';
import type { LayerAddress, LayerVariables, ModelVariables } from './variables';
import type { StoredTensor } from '../../stored-tensor';

/** Names under which a model keeps its layers. */
const LAYER_FOLDERS = ['layers', '_layer_checkpoint_dependencies'];
const MAX_VARIABLES = 100_000;
const MAX_DEPTH = 32;

/**
 * The variables of the model at `base`.
 *
 * @param file - The weights file.
 * @param base - Path of the model's group, `''` for the root.
 */
export function treeVariables(file: Hdf5File, base: string): ModelVariables {
  let index: Promise<ReadonlyMap<string, string>> | null = null;
  const find = async (address: LayerAddress): Promise<string> => {
    index ??= indexLayers(file, base);
    const found = await index;
    const snake = toSnakeCase(address.className);
    const byName = found.get(`name:${address.name}`);
    if (byName !== undefined) return byName;
    const group = address.ordinal === 0 ? snake : `${snake}_${String(address.ordinal)}`;
    return found.get(`group:${group}`) ?? join(base, `layers/${group}`);
  };
  return {
    layer: async (address) => layerVariables(file, await find(address)),
    inner: async (address) => treeVariables(file, await find(address)),
  };
}

/** Paths of the layers' groups, by the user's name and by the group's. */
async function indexLayers(file: Hdf5File, base: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const folder of LAYER_FOLDERS) {
    const container = join(base, folder);
    if ((await file.kindOf(container)) !== 'group') continue;
    for (const group of await file.list(container)) {
      const path = join(container, group);
      found.set(`group:${group}`, path);
      const name = await userName(file, path);
      if (name === null) continue;
      if (found.has(`name:${name}`)) ambiguous.add(`name:${name}`);
      found.set(`name:${name}`, path);
    }
    break;
  }
  for (const key of ambiguous) found.delete(key);
  return found;
}

/**
 * The user's name of the layer at a path, null when the file does not tell.
 *
 * @param file - The weights file.
 * @param path - Path of the layer's group.
 */
export async function userName(file: Hdf5File, path: string): Promise<string | null> {
  const vars = join(path, 'vars');
  if ((await file.kindOf(vars)) !== 'group') return null;
  const name = await file.attribute(vars, 'name');
  return typeof name === 'string' && name !== '' ? name : null;
}

/**
 * The variables of the layer at a path.
 *
 * @param file - The weights file.
 * @param path - Path of the layer's group.
 */
export function layerVariables(file: Hdf5File, path: string): LayerVariables {
  return {
    path,
    take: async (part, names) => {
      const variables = await readVars(file, join(join(path, part), 'vars'));
      return variables.slice(0, names.length);
    },
    all: () => collect(file, path, 0),
  };
}

/** Variables of one `vars` group, in order of their numbers. */
async function readVars(file: Hdf5File, path: string): Promise<readonly StoredTensor[]> {
  if ((await file.kindOf(path)) !== 'group') return [];
  const numbers = (await file.list(path)).filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(a) - Number(b));
  const variables: StoredTensor[] = [];
  for (const number of numbers) {
    const dataset = await file.dataset(join(path, number));
    const dtype = await file.attribute(dataset.path, 'dtype');
    variables.push({
      name: dataset.path,
      shape: dataset.shape,
      dtype: typeof dtype === 'string' ? dtype : dataset.dtype,
      read: () => dataset.read(),
    });
  }
  return variables;
}

/** All variables at and below a group; each group is entered once, so that links in a circle end. */
async function collect(file: Hdf5File, path: string, depth: number): Promise<readonly StoredTensor[]> {
  if (depth > MAX_DEPTH || (await file.kindOf(path)) !== 'group') return [];
  const variables = [...(await readVars(file, join(path, 'vars')))];
  for (const name of await file.list(path)) {
    if (name === 'vars' || variables.length > MAX_VARIABLES) continue;
    variables.push(...(await collect(file, join(path, name), depth + 1)));
  }
  return variables;
}

/**
 * Two parts of an HDF5 path as one.
 *
 * @param base - First part, may be empty.
 * @param rest - Second part, may be empty.
 */
export function join(base: string, rest: string): string {
  if (base === '' || rest === '') return base + rest;
  return base.endsWith('/') ? base + rest : `${base}/${rest}`;
}

/**
 * A class name as Keras writes it into the groups of a weights file.
 *
 * Source: keras/src/utils/naming.py, to_snake_case.
 *
 * @param name - A class name, with its package or without.
 */
export function toSnakeCase(name: string): string {
  const bare = name.includes('>') ? (name.split('>').at(-1) ?? name) : name;
  return bare
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
