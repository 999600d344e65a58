/**
 * Keras's recurrent layers among named tensors: `memory/lstm_cell/kernel` with its `recurrent_kernel` and `bias`; and
 * cells told by nothing but shapes, as in an exported model whose variables have numbers for names.
 */
import { lastPart } from './flat-variables';
import { toStages } from './find-flat-layers';
import { classOfFound, kindFromShapes, orderCells, toFoundCell, type FoundCell, type FoundLayer } from './found-layer';
import { toSnakeCase } from './tree-variables';
import type { StoredTensor } from '../../stored-tensor';

/** What was found, and what is left. */
export interface NamedLayers {
  readonly layers: readonly FoundLayer[];
  readonly rest: readonly StoredTensor[];
}

/**
 * Cells of known shapes inside a layer of another class, each under the outer layer's name.
 *
 * @param layer - The outer layer's name.
 * @param className - Its class.
 * @param path - Where its variables are.
 * @param variables - Its variables.
 */
export function findInnerLayers(
  layer: string,
  className: string,
  path: string,
  variables: readonly StoredTensor[],
): readonly FoundLayer[] {
  const { layers } = findKerasLayers(variables);
  return layers
    .filter(({ stages, path: inner }) => stages.every(({ forward }) => isTold(forward, inner)))
    .map((found) => {
      const parts = found.path.split('/');
      const own = found.path.startsWith(path)
        ? found.path.slice(path.length)
        : parts.slice(parts.indexOf(layer) + 1).join('/');
      const inner = own.replace(/^\/+/, '');
      return {
        ...found,
        name: `${layer}/${inner === '' ? 'cell' : inner}`,
        path: found.path,
        why: `it is inside a layer of the class ${className}, which is code and not in the file`,
      };
    });
}

/** One gate could be any two matrices: then its name must say it. */
function isTold({ kernel, recurrentKernel }: FoundCell, path: string): boolean {
  const kind = kindFromShapes(kernel.shape, recurrentKernel.shape);
  return kind !== null && (kind !== 'SimpleRNN' || /simple_?rnn/i.test(`${path}/${kernel.name}`));
}

/** Levels of a name that are no layer: cells, and the two sides of a wrapper. */
const WRAPPERS = /^(forward_.*|backward_.*|(.*_)?cell(_\d+)?|cells|stacked_rnn_cells(_\d+)?)$/;

/**
 * The layers of Keras among tensors.
 *
 * @param tensors - Named tensors.
 */
export function findKerasLayers(tensors: readonly StoredTensor[]): NamedLayers {
  const cells = new Map<string, Map<string, StoredTensor>>();
  for (const tensor of tensors) {
    const [holder, name] = placeOf(tensor.name);
    const group = cells.get(holder) ?? new Map<string, StoredTensor>();
    group.set(name, tensor);
    cells.set(holder, group);
  }
  const layers = new Map<string, FoundCell[]>();
  const taken = new Set<StoredTensor>();
  for (const [holder, group] of cells) {
    const wanted = ['kernel', 'recurrent_kernel', 'bias'].map((name) => group.get(name));
    const cell = wanted[0] && wanted[1] ? toFoundCell(wanted.filter((tensor) => tensor !== undefined)) : null;
    if (!cell) continue;
    for (const tensor of wanted) if (tensor) taken.add(tensor);
    const owner = ownerOf(holder);
    layers.set(owner, [...(layers.get(owner) ?? []), cell]);
  }
  return {
    layers: [...layers].map(([name, own]) => toLayer(name, own)),
    rest: tensors.filter((tensor) => !taken.has(tensor)),
  };
}

/** Names of the variables of a cell by their number in a `.weights.h5` file. */
const NUMBERED = ['kernel', 'recurrent_kernel', 'bias'];

/** The holder of a variable and its own name. */
function placeOf(path: string): readonly [string, string] {
  const numbered = /^(.*)\/vars\/([012])$/.exec(path);
  if (numbered) return [numbered[1] ?? '', NUMBERED[Number(numbered[2])] ?? ''];
  return [path.split('/').slice(0, -1).join('/'), lastPart(path)];
}

function ownerOf(holder: string): string {
  const parts = holder.split('/');
  const kept = parts.filter((part, index) => !WRAPPERS.test(part) && parts[index - 1] !== 'cells');
  // Keras 3 may leave the wrapper's own name out: `forward_lstm/lstm_cell`.
  return kept.length > 0 ? kept.join('/') : (/^(?:forward|backward)_(.+)$/.exec(parts[0] ?? '')?.[1] ?? '');
}

function toLayer(name: string, cells: readonly FoundCell[]): FoundLayer {
  const variables = cells.flatMap(({ kernel, recurrentKernel, bias }) => [
    kernel,
    recurrentKernel,
    ...(bias ? [bias] : []),
  ]);
  const isSided = cells.some(({ kernel }) => /(^|\/)backward_/.test(kernel.name));
  const stages = toStages(isSided ? cells : orderCells(cells), variables);
  const first = cells[0];
  const kind = first ? kindFromShapes(first.kernel.shape, first.recurrentKernel.shape) : null;
  const className = classOfFound(name.split('/').at(-1) ?? name, stages);
  return { name: name === '' ? toSnakeCase(kind ?? 'rnn') : name, path: name, className, stages, variables };
}

/**
 * Cells told by shapes alone: a kernel `[D, G H]`, a recurrent kernel `[H, G H]` and a bias one behind the other.
 *
 * @param tensors - Named tensors, those of one holder in the order of their numbers.
 */
export function findShapedLayers(tensors: readonly StoredTensor[]): NamedLayers {
  const layers: FoundLayer[] = [];
  const rest: StoredTensor[] = [];
  const ordered = [...tensors].sort((a, b) => compareNatural(a.name, b.name));
  for (let next = 0; next < ordered.length;) {
    const three = ordered.slice(next, next + 3).filter((tensor) => holderOf(tensor) === holderOf(ordered[next]));
    const cell = shapedCell(three) ?? shapedCell(three.slice(0, 2));
    if (!cell) {
      rest.push(...ordered.slice(next, next + 1));
      next++;
      continue;
    }
    const layer = toLayer('', [cell]);
    layers.push({ ...layer, path: cell.kernel.name });
    next += layer.variables.length;
  }
  return { layers, rest };
}

/**
 * The cell that two or three tensors can be, in any order where only one is possible; else the kernel stands first.
 *
 * A SimpleRNN could be two Dense layers: it must have its bias, and have it last.
 *
 * @param tensors - Two or three tensors.
 * @param isCell - They are known to be a cell.
 */
export function shapedCell(tensors: readonly StoredTensor[], isCell = false): FoundCell | null {
  // Two rows are the bias of a GRU, where no other tensor can be it.
  const hasVector = tensors.some(({ shape }) => shape.length === 1);
  const matrices = tensors.filter(({ shape }) => shape.length === 2 && (shape[0] !== 2 || hasVector));
  const others = tensors.filter((tensor) => !matrices.includes(tensor));
  if (tensors.length < 2 || matrices.length !== 2 || others.length > 1) return null;
  const found = [matrices, [...matrices].reverse()]
    .map((pair) => toFoundCell([...pair, ...others]))
    .filter((cell) => cell !== null);
  const [cell] = found;
  if (!cell) return null;
  const isSimple = kindFromShapes(cell.kernel.shape, cell.recurrentKernel.shape) === 'SimpleRNN';
  return isSimple && !isCell && (cell.bias === null || tensors[2] !== cell.bias) ? null : cell;
}

function holderOf(tensor: StoredTensor | undefined): string {
  return tensor?.name.split('/').slice(0, -1).join('/') ?? '';
}

/** `variables/2` before `variables/10`. */
function compareNatural(a: string, b: string): number {
  const left = a.split(/(\d+)/);
  const right = b.split(/(\d+)/);
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [one = '', other = ''] = [left[index], right[index]];
    if (one === other) continue;
    const difference = index % 2 === 1 ? Number(one) - Number(other) : 0;
    return difference !== 0 ? difference : one < other ? -1 : 1;
  }
  return left.length - right.length;
}
