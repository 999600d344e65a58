/**
 * Layers in a Keras 2 weights file: variables are grouped by the path in their names, cells told by names and shapes.
 */
import type { Hdf5File } from '../../containers/hdf5';
import { flatVariables, lastPart } from './flat-variables';
import { classOfFound, toFoundCell, type FoundCell, type FoundLayer } from './found-layer';
import type { StoredTensor } from '../../stored-tensor';

/**
 * The layers of a weights file; those of a nested model as `inner/name`.
 *
 * @param file - The file.
 * @throws TempogradError what reading throws.
 */
export async function findFlatLayers(file: Hdf5File): Promise<readonly FoundLayer[]> {
  const base = (await file.kindOf('/model_weights')) === 'group' ? '/model_weights' : '/';
  const weights = await flatVariables(file, base);
  const found: FoundLayer[] = [];
  for (const name of weights.layerNames) {
    const variables = await weights.variablesOf(name);
    if (variables.length > 0) found.push(...splitGroup(name, variables));
  }
  return found;
}

/** A group is one layer, or a nested model when the variables' own names tell several apart. */
function splitGroup(name: string, variables: readonly StoredTensor[]): readonly FoundLayer[] {
  const layers = new Map<string, StoredTensor[]>();
  for (const variable of variables) {
    const owner = ownerOf(variable.name, name);
    layers.set(owner, [...(layers.get(owner) ?? []), variable]);
  }
  if (layers.size <= 1) return [toLayer(name, name, variables)];
  return [...layers].map(([owner, own]) => toLayer(`${name}/${owner}`, name, own));
}

/** The layer that a variable's name puts it into, apart from wrappers, cells and the model's own name. */
function ownerOf(variable: string, group: string): string {
  const parts = variable.split('/').slice(0, -1);
  const start = parts.lastIndexOf(group);
  if (start >= 0) return group;
  const layer = parts.filter((part) => !/^(forward_|backward_)|_?cell(_\d+)?$|^cells$/.test(part));
  return layer.at(-1) ?? group;
}

function toLayer(name: string, path: string, variables: readonly StoredTensor[]): FoundLayer {
  const cells = splitCells(variables);
  const group = name.split('/').at(-1) ?? name;
  const stages = cells === null ? [] : toStages(cells, variables);
  return {
    name,
    path,
    className: classOfFound(group, stages),
    stages,
    variables,
  };
}

/** Variables as cells one after the other: a new one begins with each kernel that a recurrent kernel follows. */
function splitCells(variables: readonly StoredTensor[]): readonly FoundCell[] | null {
  const cells: FoundCell[] = [];
  let next = 0;
  while (next < variables.length) {
    const three = variables.slice(next, next + 3);
    const withBias = three.length === 3 && !isKernel(three[2]) ? toFoundCell(three) : null;
    const cell = withBias ?? toFoundCell(three.slice(0, 2));
    if (!cell) return null;
    cells.push(cell);
    next += withBias ? 3 : 2;
  }
  return cells;
}

function isKernel(variable: StoredTensor | undefined): boolean {
  return variable !== undefined && lastPart(variable.name) === 'kernel';
}

/**
 * Cells of one layer as stages: names say whether they are two directions or stand on one another.
 *
 * @param cells - The cells.
 * @param variables - All variables of the layer.
 */
export function toStages(cells: readonly FoundCell[], variables: readonly StoredTensor[]): FoundLayer['stages'] {
  const isBackward = ({ kernel }: FoundCell): boolean => /(^|\/)backward_/.test(kernel.name);
  const backward = cells.filter(isBackward);
  const forward = cells.filter((cell) => !isBackward(cell));
  if (backward.length > 0 && backward.length === forward.length) {
    return forward.map((cell, index) => ({ forward: cell, backward: backward[index] ?? null }));
  }
  const [first, second] = cells;
  const isPair =
    cells.length === 2 &&
    variables.length >= 4 &&
    first?.kernel.shape[0] === second?.kernel.shape[0] &&
    !isStacked(first, second);
  if (isPair && first && second) return [{ forward: first, backward: second }];
  return cells.map((cell) => ({ forward: cell, backward: null }));
}

/** The second cell of a stack takes what the first gives. */
function isStacked(first: FoundCell | undefined, second: FoundCell | undefined): boolean {
  return second?.kernel.shape[0] === first?.recurrentKernel.shape[0];
}
