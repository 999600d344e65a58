/** Central differences of a layer's hidden state by the model's input, on the float64 engine: a witness from outside. */
import { expect } from 'vitest';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import { loadEngine } from '../../src/engine/load-engine';
import type { CollectedRun } from './collect-run';

/** The error of a difference of order 2 is then about 1e-10 of the largest entry. */
const STEP = 1e-5;

/** h of the layer `[B, T, H]` for a model input, forward units first. */
async function hiddenOf(
  model: RecurrentModel,
  index: number,
  shape: readonly number[],
  data: Float64Array,
): Promise<Float64Array> {
  const engine = await loadEngine('reference');
  const { signal } = new AbortController();
  const layer = model.layers[index]!;
  if (!isRecurrent(layer)) throw new Error(`layer ${layer.name} is not recurrent`);
  const input = await engine.runBelow(model, index, [{ shape, data }], signal);
  const run = await engine.openLayer(layer, input, signal);
  const rows = run.batch * run.steps;
  const halves = run.states.map(({ h }) => Float64Array.from(h));
  run.dispose();
  const row = (at: number): number[] =>
    halves.flatMap((h) => [...h.subarray((at * h.length) / rows, ((at + 1) * h.length) / rows)]);
  return Float64Array.from(Array.from({ length: rows }, (_, at) => row(at)).flat());
}

/** Fails unless `dhT_dx`, and `dh_dx` where there is one, are the differences to `tolerance` of their largest entry. */
export async function expectDifferences(
  model: RecurrentModel,
  index: number,
  input: { readonly shape: readonly number[]; readonly data: Float64Array },
  run: CollectedRun,
  tolerance: number,
): Promise<void> {
  const { batch, steps, sourceSteps, inputDim, parts } = run.started!;
  // The last step that each unit's recurrence computes.
  const lastSteps = parts.flatMap(({ direction, hiddenSize }) =>
    Array.from({ length: hiddenSize }, () => (direction === 'forward' ? steps - 1 : 0)),
  );
  const units = lastSteps.length;
  const [found, final] = [run.arrays.get('dh_dx'), run.arrays.get('dhT_dx')!];
  expect(found !== undefined).toBe(sourceSteps === steps);
  const { data, shape } = input;
  const size = sourceSteps * inputDim;
  expect(data.length).toBe(batch * size);
  let [worst, largest] = [0, 0];
  for (let at = 0; at < size; at++) {
    const shifted = (by: number): Float64Array =>
      data.map((value, place) => (place % size === at ? value + by : value));
    const plus = await hiddenOf(model, index, shape, shifted(STEP));
    const minus = await hiddenOf(model, index, shape, shifted(-STEP));
    const [k, d] = [Math.floor(at / inputDim), at % inputDim];
    for (let b = 0; b < batch; b++) {
      for (let u = 0; u < units; u++) {
        const difference = (t: number): number => {
          const place = (b * steps + t) * units + u;
          return (plus[place]! - minus[place]!) / (2 * STEP);
        };
        const place = ((b * sourceSteps + k) * units + u) * inputDim + d;
        largest = Math.max(largest, Math.abs(final[place]!), Math.abs(found?.[place] ?? 0));
        worst = Math.max(worst, Math.abs(final[place]! - difference(lastSteps[u]!)));
        if (found) worst = Math.max(worst, Math.abs(found[place]! - difference(k)));
      }
    }
  }
  expect(largest).toBeGreaterThan(0);
  expect(worst / largest).toBeLessThan(tolerance);
}
