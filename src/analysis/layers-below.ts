/** What feeds a layer, followed down to the model's inputs. */
import type { Layer, RecurrentModel, ValueRef } from '../core/model';

/**
 * Indices of all layers that feed a layer, initial states included.
 *
 * @param model - The model.
 * @param index - A layer's index.
 */
export function layersBelow(model: RecurrentModel, index: number): ReadonlySet<number> {
  const found = new Set<number>();
  const pending = refsOf(model.layers[index]!);
  for (let ref = pending.pop(); ref; ref = pending.pop()) {
    if (found.has(ref.layer)) continue;
    found.add(ref.layer);
    pending.push(...refsOf(model.layers[ref.layer]!));
  }
  return found;
}

function refsOf({ inputs, operation }: Layer): ValueRef[] {
  if (operation.kind !== 'recurrent') return [...inputs];
  const { backwardInput, initialState } = operation;
  return [...inputs, ...(backwardInput ? [backwardInput] : []), ...initialState];
}
