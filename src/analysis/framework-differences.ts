/** Where a framework is known to compute something else than its own documentation says, and this program does not. */
import { cellsOf, type Layer, type RecurrentModel, type Warning } from '../core/model';
import { layersBelow } from './layers-below';

/** The last Keras whose sparsemax is wrong. */
const LAST_WRONG_SPARSEMAX = [3, 15, 1] as const;

/**
 * Warnings about activations that the Keras of a file computes wrongly.
 *
 * Keras up to 3.15.1 adds up cumulative sums for the threshold of sparsemax, so that its outputs do not sum to 1.
 * Source: Martins and Astudillo 1602.02068; Keras pull request 23469.
 *
 * @param model - The model.
 * @param index - The layer that is analysed.
 */
export function frameworkDifferences(model: RecurrentModel, index: number): readonly Warning[] {
  if (!isWithin(model.producer, LAST_WRONG_SPARSEMAX)) return [];
  const layers = [index, ...layersBelow(model, index)].map((at) => model.layers[at]!);
  const names = layers.filter((layer) => activationsOf(layer).includes('sparsemax')).map(({ name }) => name);
  if (names.length === 0) return [];
  return [
    {
      code: 'activation/differs',
      message: `Keras up to 3.15.1 computes sparsemax (${names.join(', ')}) with a wrong threshold, so that it does not sum to 1; here it is computed as defined, and numbers differ from those of ${model.producer}.`,
      remedy: 'Compare with a Keras after 3.15.1.',
    },
  ];
}

/** Whether a producer is a Keras 3 of at most this version, or of one that is not told. */
function isWithin(producer: string, last: readonly number[]): boolean {
  const found = /^Keras 3(?:\.(\d+))?(?:\.(\d+))?/.exec(producer);
  if (!found) return false;
  const [minor, patch] = [Number(found[1] ?? 0), Number(found[2] ?? 0)];
  return minor < last[1]! || (minor === last[1] && patch <= last[2]!);
}

function activationsOf({ operation }: Layer): readonly string[] {
  if (operation.kind === 'recurrent') {
    return cellsOf(operation).flatMap(({ cell }) =>
      cell.kind === 'SimpleRNN' ? [cell.activation.name] : [cell.activation.name, cell.recurrentActivation.name],
    );
  }
  return 'activation' in operation ? [operation.activation.name] : [];
}
