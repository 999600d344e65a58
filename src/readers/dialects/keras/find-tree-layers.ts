/**
 * Layers in the groups of a `.weights.h5` file: a recurrent one has a `cell` with variables of a cell's shapes.
 */
import type { Hdf5File } from '../../containers/hdf5';
import { classOfFound, orderCells, toFoundCell, type FoundCell, type FoundLayer } from './found-layer';
import { join, layerVariables, userName } from './tree-variables';

const MAX_DEPTH = 24;
/** Groups that hold layers of a model. */
const CONTAINERS = new Set(['layers', '_layer_checkpoint_dependencies']);
const NO_LAYERS = new Set(['vars', 'optimizer', 'seed_generator', '_tracker']);

/**
 * The layers of a weights file, nested models as `inner/name`.
 *
 * @param file - The file.
 * @throws TempogradError what reading throws.
 */
export async function findTreeLayers(file: Hdf5File): Promise<readonly FoundLayer[]> {
  const found: FoundLayer[] = [];
  await walk(file, '', '', found, 0);
  return found;
}

async function walk(file: Hdf5File, path: string, prefix: string, found: FoundLayer[], depth: number): Promise<void> {
  if (depth > MAX_DEPTH) return;
  for (const group of await listInOrder(file, path === '' ? '/' : path)) {
    const inner = join(path, group);
    if (NO_LAYERS.has(group)) continue;
    if (CONTAINERS.has(group)) {
      await walk(file, inner, prefix, found, depth + 1);
      continue;
    }
    const name = `${prefix}${(await userName(file, inner)) ?? group}`;
    const stages = await findStages(file, inner);
    const variables = await layerVariables(file, inner).take('', ['', '', '', '', '', '', '', '']);
    if (stages.length > 0 || variables.length > 0) {
      found.push({ name, path: inner, className: classOfFound(group, stages), stages, variables });
    }
    if (stages.length === 0) await walk(file, inner, `${name}/`, found, depth + 1);
  }
}

/** The cells of a layer's group: its own, or those of two directions; a wrapper's inner layer is in `layer`. */
async function findStages(file: Hdf5File, path: string): Promise<FoundLayer['stages']> {
  for (const inner of [path, join(path, 'layer')]) {
    const forward = await findCells(file, join(inner, 'forward_layer'));
    const backward = await findCells(file, join(inner, 'backward_layer'));
    if (forward.length > 0 && forward.length === backward.length) {
      return forward.map((cell, index) => ({ forward: cell, backward: backward[index] ?? null }));
    }
    const own = await findCells(file, inner);
    if (own.length > 0) return own.map((cell) => ({ forward: cell, backward: null }));
  }
  return [];
}

async function findCells(file: Hdf5File, path: string): Promise<readonly FoundCell[]> {
  const variables = layerVariables(file, path);
  const wanted = ['kernel', 'recurrent_kernel', 'bias', 'more'];
  const single = toFoundCell(await variables.take('cell', wanted)) ?? toFoundCell(await variables.take('', wanted));
  if (single) return [single];
  const stacked = join(path, 'cell/cells');
  if ((await file.kindOf(stacked)) !== 'group') return [];
  const cells: FoundCell[] = [];
  for (const group of await listInOrder(file, stacked)) {
    const cell = toFoundCell(await variables.take(`cell/cells/${group}`, wanted));
    if (!cell) return [];
    cells.push(cell);
  }
  return orderCells(cells);
}

/** Groups in the order in which they were written, which is the model's; links that lead nowhere are left out. */
async function listInOrder(file: Hdf5File, path: string): Promise<readonly string[]> {
  const found: { readonly name: string; readonly address: bigint }[] = [];
  for (const name of await file.list(path)) {
    const inner = join(path, name);
    if ((await file.kindOf(inner)) === 'group') found.push({ name, address: await file.address(inner) });
  }
  return found.sort((a, b) => (a.address < b.address ? -1 : 1)).map(({ name }) => name);
}
