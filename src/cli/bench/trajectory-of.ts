/** The engine's own states as the reference cells take them. */
import type { Trajectory } from '../../core/reference/run-cell';
import type { RealTensor } from '../../core/tensor';
import type { LayerRun } from '../../engine/engine';

/**
 * States of the first sequence of a forward layer, from zeros.
 *
 * @param x - The input.
 * @param run - The engine's run.
 */
export function trajectoryOf(x: RealTensor, { states, steps, units, inputDim }: LayerRun): Trajectory {
  const { h, c } = states[0]!;
  const first = (data: Float32Array | Float64Array, width: number): Float64Array =>
    Float64Array.from(data.subarray(0, steps * width));
  return {
    direction: 'forward',
    steps,
    x: first(x.data, inputDim),
    mask: null,
    initial: { h: new Float64Array(units), c: c ? new Float64Array(units) : null },
    h: first(h, units),
    c: c ? first(c, units) : null,
  };
}
