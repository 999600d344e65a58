/**
 * What is found in a weights file that has no architecture, and how shapes tell a recurrent cell.
 */
import type { CellKind } from '../../../core/model';
import type { StoredTensor } from '../../stored-tensor';

/** A cell found in a weights file. */
export interface FoundCell {
  readonly kernel: StoredTensor;
  readonly recurrentKernel: StoredTensor;
  readonly bias: StoredTensor | null;
}

/** A layer found in a weights file: cells of a recurrent one, or only variables. */
export interface FoundLayer {
  readonly name: string;
  readonly path: string;
  /** What the group's name says, for display: `LSTM`, `unknown`. */
  readonly className: string;
  /** One entry per stacked cell; empty for a layer that is not recurrent. */
  readonly stages: readonly { readonly forward: FoundCell; readonly backward: FoundCell | null }[];
  readonly variables: readonly StoredTensor[];
  /** Why its settings are not known, where that is not that the file holds weights only. */
  readonly why?: string;
}

/**
 * The kind that the shapes of a kernel and a recurrent kernel tell, null when they are no cell.
 *
 * @param kernel - Shape of the first.
 * @param recurrentKernel - Shape of the second.
 */
export function kindFromShapes(kernel: readonly number[], recurrentKernel: readonly number[]): CellKind | null {
  const [units, gates] = recurrentKernel;
  if (kernel.length !== 2 || recurrentKernel.length !== 2 || !units || !gates || kernel[1] !== gates) return null;
  if (gates === units) return 'SimpleRNN';
  if (gates === 3 * units) return 'GRU';
  return gates === 4 * units ? 'LSTM' : null;
}

/**
 * The cell that up to three variables are, null when their shapes are no cell's.
 *
 * @param variables - Kernel, recurrent kernel, perhaps a bias.
 */
export function toFoundCell(variables: readonly StoredTensor[]): FoundCell | null {
  const [kernel, recurrentKernel, bias = null] = variables;
  if (!kernel || !recurrentKernel || variables.length > 3) return null;
  if (kindFromShapes(kernel.shape, recurrentKernel.shape) === null) return null;
  const gates = kernel.shape[1];
  if (bias !== null) {
    const [first, second] = bias.shape;
    const fits =
      (bias.shape.length === 1 && (first === gates || first === 2 * (gates ?? 0))) || (first === 2 && second === gates);
    if (!fits) return null;
  }
  return { kernel, recurrentKernel, bias };
}

/**
 * The class of a found layer, for display: told by its cells, else by its group's name.
 *
 * @param group - Name of the group or layer.
 * @param stages - Its cells.
 */
export function classOfFound(group: string, stages: FoundLayer['stages']): string {
  const [first] = stages;
  if (first?.backward) return 'Bidirectional';
  if (stages.length > 1) return 'RNN';
  const kind = first ? kindFromShapes(first.forward.kernel.shape, first.forward.recurrentKernel.shape) : null;
  const bare = group.replace(/_\d+$/, '').replaceAll('_', '').toLowerCase();
  return (
    kind ??
    ['Dense', 'Embedding', 'Conv1D', 'BatchNormalization'].find((name) => name.toLowerCase() === bare) ??
    'unknown'
  );
}

/**
 * Stacked cells in an order in which each takes what the one below gives; the order given when there is none.
 *
 * @param cells - The cells of one layer; a weights file tells their order within a class only.
 */
export function orderCells(cells: readonly FoundCell[]): readonly FoundCell[] {
  if (cells.length > MAX_STACK) return cells;
  const extend = (chain: readonly FoundCell[], left: readonly FoundCell[]): readonly FoundCell[] | null => {
    if (left.length === 0) return chain;
    const units = chain.at(-1)?.recurrentKernel.shape[0];
    for (const next of left) {
      if (units !== undefined && next.kernel.shape[0] !== units) continue;
      const found = extend(
        [...chain, next],
        left.filter((cell) => cell !== next),
      );
      if (found) return found;
    }
    return null;
  };
  return extend([], cells) ?? cells;
}

const MAX_STACK = 6;
