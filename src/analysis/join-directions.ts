/**
 * States and gates of both directions as one event: forward units, then backward units, at the input's own time index.
 *
 * The two halves of a Bidirectional layer may differ in kind and size; an array then holds the directions that have it.
 */
import type { RealTensor } from '../core/tensor';
import type { LayerInput, LayerRun, RealArray } from '../engine/engine';
import type { StatesEvent } from '../shared/run';

/**
 * The `states` event of a run.
 *
 * @param run - The layer with its states.
 * @param x - The sequence that is differentiated against.
 * @param mask - The layer's mask.
 */
export function joinDirections(run: LayerRun, x: RealTensor, mask: LayerInput['mask']): StatesEvent {
  const rows = run.batch * run.steps;
  const names = new Set(run.states.flatMap(({ gates }) => Object.keys(gates)));
  const join = (arrays: readonly (RealArray | null | undefined)[]): RealArray | null =>
    joinUnits(
      arrays.filter((array) => array !== null && array !== undefined),
      rows,
    );
  return {
    kind: 'states',
    x: x.data,
    mask: mask?.data ?? null,
    h: join(run.states.map(({ h }) => h))!,
    c: join(run.states.map(({ c }) => c)),
    gates: Object.fromEntries([...names].map((gate) => [gate, join(run.states.map(({ gates }) => gates[gate]))!])),
  };
}

/** Arrays `[rows, H_i]` side by side; null for none. */
function joinUnits(arrays: readonly RealArray[], rows: number): RealArray | null {
  const [first, second] = arrays;
  if (!first || !second) return first ?? null;
  const length = first.length + second.length;
  const joined = first instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
  const [left, right] = [first.length / rows, second.length / rows];
  for (let row = 0; row < rows; row++) {
    joined.set(first.subarray(row * left, (row + 1) * left), row * (left + right));
    joined.set(second.subarray(row * right, (row + 1) * right), row * (left + right) + left);
  }
  return joined;
}
