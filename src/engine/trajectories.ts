/** An engine's own states of one sequence as a trajectory in float64, for what is linearised in plain TypeScript. */
import { hiddenSize as hiddenSizeOf, type CellDescription } from '../core/model';
import type { Direction } from '../core/jacobian';
import type { Trajectory } from '../core/reference/run-cell';
import type { LayerInput, LayerRun } from './engine';

/**
 * The trajectory of one sequence in one direction.
 *
 * @param run - The layer with its states.
 * @param input - What it was fed.
 * @param cell - The cell of this direction.
 * @param direction - Which recurrence.
 * @param sequence - Which sequence.
 */
export function trajectoryOf(
  run: Pick<LayerRun, 'states' | 'steps'>,
  input: LayerInput,
  cell: CellDescription,
  direction: Direction,
  sequence: number,
): Trajectory {
  const { steps } = run;
  const { units, inputDim } = cell;
  const hiddenSize = hiddenSizeOf(cell);
  const states = run.states.find((entry) => entry.direction === direction)!;
  const x = (direction === 'backward' ? input.backwardX : null) ?? input.x;
  const initial = input.initialState[direction];
  const part = (data: Float32Array | Float64Array | undefined, size: number): Float64Array =>
    data ? Float64Array.from(data.subarray(sequence * size, (sequence + 1) * size)) : new Float64Array(size);
  return {
    direction,
    steps,
    x: part(x.data, steps * inputDim),
    mask: input.mask?.data.subarray(sequence * steps, (sequence + 1) * steps) ?? null,
    initial: {
      h: part(initial?.h0.data, hiddenSize),
      c: cell.kind === 'LSTM' ? part(initial?.c0?.data, units) : null,
    },
    h: part(states.h, steps * hiddenSize),
    c: states.c ? part(states.c, steps * units) : null,
  };
}
