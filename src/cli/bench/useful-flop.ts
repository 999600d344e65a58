/** The work that a case's answer takes by the direct recursions; the forward pass is in the time and not in the work. */
import { cellSizes } from '../../engine/cells/cell-sizes';
import { pushFlop } from '../../engine/propagate/pairs-plan';
import { benchCell } from './bench-model';
import type { BenchCase } from './cases';

/**
 * Useful FLOP: forming and pulling for `final`, forming for `diagonal`, pushing every source to the end for pairs (a
 * sketch: its directions), pushing and turning the tangents for the spectrum.
 *
 * @param benchCase - The case.
 * Source: method.md 2.5 and 2.9. An LSTM that is pulled counts h and c together, q = 2H.
 */
export function usefulFlop({
  kind,
  modes,
  units,
  inputDim,
  steps,
  batch,
  layers,
  directions,
}: Pick<BenchCase, 'kind' | 'modes' | 'units' | 'inputDim' | 'steps' | 'batch' | 'layers' | 'directions'>): number {
  const sizes = cellSizes(benchCell(units, inputDim, kind));
  const { stateSize: size } = sizes;
  const push = pushFlop(sizes);
  if (layers > 0) {
    // Two directions of half the pairs in the first layer; above it all pairs, and the features of both directions below.
    const above = 2 * sizes.operatorRows * (sizes.operatorColumns - inputDim + 2 * units);
    return batch * inputDim * steps * steps * (push + 2 * (layers - 1) * above);
  }
  if (modes.some((mode) => mode.endsWith('pairs'))) {
    const width = modes.includes('state pairs') ? size : inputDim;
    const pushed = modes.includes('sketched pairs') ? Math.min(directions, width) : width;
    return (batch * push * pushed * steps * (steps - 1)) / 2;
  }
  if (modes.includes('spectrum')) {
    return batch * steps * (push * directions + 4 * size * directions ** 2 + (2 / 3) * directions ** 3);
  }
  const pull = 4 * size * units * (units + inputDim) + 8 * units * units;
  const isFinal = modes.includes('final') || modes.includes('exact final');
  return ((isFinal ? pull : 0) + 8 * units * inputDim) * steps * batch;
}
