/**
 * Variables in one list, as in a tfjs manifest: their names begin with their layer's (`memory/lstm_cell/kernel`), or are
 * the paths of a `.weights.h5` file (`layers/lstm/cell/vars/0`).
 */
import { join, toSnakeCase } from '../keras/tree-variables';
import { takenByName, takenInOrder, type LayerAddress, type ModelVariables } from '../keras/variables';
import type { StoredTensor } from '../../stored-tensor';

/**
 * The variables of a model's layers, found by name; those of a nested model lie in the same list, or behind its name.
 * Variables that carry no layer's name go to the layers that have none of their own, by their kind and order.
 *
 * @param variables - The list.
 * @param layerNames - Names of all layers, those of nested models included.
 */
export function listedVariables(variables: readonly StoredTensor[], layerNames: ReadonlySet<string>): ModelVariables {
  const unnamed = variables.filter(
    ({ name }) =>
      !name
        .split('/')
        .slice(0, -1)
        .some((part) => layerNames.has(part)),
  );
  return namedVariables(variables, unnamed);
}

function namedVariables(variables: readonly StoredTensor[], unnamed: StoredTensor[]): ModelVariables {
  const byFirst = groupBy(variables, (parts) => parts.slice(0, 1));
  const byAny = groupBy(variables, (parts) => parts.slice(1, -1));
  return {
    layer: ({ name }) => {
      const own = byFirst.get(name) ?? byAny.get(name);
      return Promise.resolve(own ? takenInOrder(name, own) : takenByName(name, unnamed, lastLevel));
    },
    inner: ({ name }) => {
      const own = byFirst.get(name);
      return Promise.resolve(namedVariables(own ? own.map(withoutFirst) : variables, unnamed));
    },
  };
}

function groupBy(
  variables: readonly StoredTensor[],
  keysOf: (parts: readonly string[]) => readonly string[],
): ReadonlyMap<string, readonly StoredTensor[]> {
  const found = new Map<string, StoredTensor[]>();
  for (const variable of variables) {
    for (const key of new Set(keysOf(variable.name.split('/')))) {
      const group = found.get(key);
      if (group) group.push(variable);
      else found.set(key, [variable]);
    }
  }
  return found;
}

function lastLevel(name: string): string {
  return name.split('/').at(-1) ?? name;
}

function withoutFirst(variable: StoredTensor): StoredTensor {
  return { ...variable, name: variable.name.split('/').slice(1).join('/') };
}

/** Names under which a model keeps its layers. */
const LAYER_FOLDERS = ['layers', '_layer_checkpoint_dependencies'];

/**
 * True when the names are paths of a `.weights.h5` file.
 *
 * @param variables - The list.
 */
export function isTree(variables: readonly StoredTensor[]): boolean {
  return variables.some(({ name }) => /(^|\/)vars\/\d+$/.test(name));
}

/**
 * The variables of a model's layers, found by class and order.
 *
 * @param variables - The list.
 * @param base - The model's own path, empty for the outermost.
 */
export function listedTree(variables: readonly StoredTensor[], base: string): ModelVariables {
  const folder = LAYER_FOLDERS.find((name) =>
    variables.some((variable) => variable.name.startsWith(join(base, `${name}/`))),
  );
  const pathOf = ({ className, ordinal }: LayerAddress): string => {
    const snake = toSnakeCase(className);
    return join(base, `${folder ?? 'layers'}/${ordinal === 0 ? snake : `${snake}_${String(ordinal)}`}`);
  };
  return {
    layer: (address) => {
      const path = pathOf(address);
      return Promise.resolve({
        path,
        take: (part, names) =>
          Promise.resolve(numbered(variables, join(join(path, part), 'vars/')).slice(0, names.length)),
        all: () => Promise.resolve(variables.filter(({ name }) => name.startsWith(`${path}/`))),
      });
    },
    inner: (address) => Promise.resolve(listedTree(variables, pathOf(address))),
  };
}

/** The variables `0`, `1` .. of one group, in order of their numbers. */
function numbered(variables: readonly StoredTensor[], prefix: string): readonly StoredTensor[] {
  const own = variables.filter(({ name }) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)));
  return own.sort((a, b) => Number(a.name.slice(prefix.length)) - Number(b.name.slice(prefix.length)));
}
