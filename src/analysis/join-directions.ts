/**
 * States and gates of both directions as one event: forward units, then backward units, at the input's own time index.
 */
import type { LayerInput, LayerRun, RealArray } from '../engine/engine';
import type { StatesEvent } from '../shared/run';

/**
 * The `states` event of a run.
 *
 * @param run - The layer with its states.
 * @param input - What it was fed.
 */
export function joinDirections(run: LayerRun, input: LayerInput): StatesEvent {
  const [first, second] = run.states;
  const join = (a: RealArray, b: RealArray | undefined): RealArray => (b ? joinUnits(a, b, run.units) : a);
  const gates = Object.fromEntries(
    Object.entries(first!.gates).map(([gate, values]) => [gate, join(values, second?.gates[gate])]),
  );
  return {
    kind: 'states',
    x: input.x.data,
    mask: input.mask?.data ?? null,
    h: join(first!.h, second?.h),
    c: first!.c ? join(first!.c, second?.c ?? undefined) : null,
    gates,
  };
}

/** `[N, H]` and `[N, H]` side by side. */
function joinUnits(a: RealArray, b: RealArray, units: number): RealArray {
  const joined = a instanceof Float64Array ? new Float64Array(2 * a.length) : new Float32Array(2 * a.length);
  for (let row = 0; row * units < a.length; row++) {
    joined.set(a.subarray(row * units, (row + 1) * units), 2 * row * units);
    joined.set(b.subarray(row * units, (row + 1) * units), (2 * row + 1) * units);
  }
  return joined;
}
