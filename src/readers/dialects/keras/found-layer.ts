/**
 * What is found in a weights file that has no architecture, and how shapes tell a recurrent cell.
 */
import type { CellKind } from '../../../core/model';
import type { StoredVariable } from './variables';

/** A cell found in a weights file. */
export interface FoundCell {
  readonly kernel: StoredVariable;
  readonly recurrentKernel: StoredVariable;
  readonly bias: StoredVariable | null;
}

/** A layer found in a weights file: cells of a recurrent one, or only variables. */
export interface FoundLayer {
  readonly name: string;
  readonly path: string;
  /** What the group's name says, for display: `LSTM`, `unknown`. */
  readonly className: string;
  /** One entry per stacked cell; empty for a layer that is not recurrent. */
  readonly stages: readonly { readonly forward: FoundCell; readonly backward: FoundCell | null }[];
  readonly variables: readonly StoredVariable[];
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
export function toFoundCell(variables: readonly StoredVariable[]): FoundCell | null {
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
 * The class that a group's name tells: `lstm_1` -> `LSTM`; for display only.
 *
 * @param group - Name of a group or layer.
 * @param fallback - What to say when it tells nothing.
 */
export function classFromGroup(group: string, fallback: string): string {
  const bare = group.replace(/_\d+$/, '').replaceAll('_', '').toLowerCase();
  const classes = ['LSTM', 'GRU', 'SimpleRNN', 'RNN', 'Bidirectional', 'TimeDistributed', 'Dense', 'Embedding'];
  return classes.find((name) => name.toLowerCase() === bare) ?? fallback;
}
