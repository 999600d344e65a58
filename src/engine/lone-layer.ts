/** One cell as a layer that stands on nothing, for runs that have no model file: known values, benchmarks. */
import type { CellDescription, RecurrentLayer } from '../core/model';
import { wholeSequence } from '../core/whole-sequence';
import type { RealTensor } from '../core/tensor';
import type { InitialState, LayerInput } from './engine';

/**
 * A forward layer of this cell alone.
 *
 * @param name - Its name.
 * @param cell - The cell.
 */
export function loneLayer(name: string, cell: CellDescription): RecurrentLayer {
  return {
    name,
    className: cell.kind,
    operation: wholeSequence(cell),
    inputs: [],
    weights: [],
    origin: { path: '', sourceGateOrder: [] },
  };
}

/**
 * What such a layer is fed, without a mask.
 *
 * @param x - `[B, T, D]`
 * @param forward - The initial state; zeros when left out.
 */
export function loneInput(x: RealTensor, forward?: InitialState): LayerInput {
  return { x, backwardX: null, mask: null, initialState: forward ? { forward } : {} };
}
