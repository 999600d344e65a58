/** Log norms of all pairs by central differences of the states, on the float64 engine: a witness from outside. */
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import type { LayerRun } from '../../src/engine/engine';
import { loadEngine } from '../../src/engine/load-engine';

/** The error of a difference of order 2 is then about 1e-10 of the largest entry. */
const STEP = 1e-5;

/** Norms of all targets by all sources, `[B, T, T_u]`, rows of all directions that have the state. */
export interface DifferenceNorms {
  readonly h: Float64Array;
  readonly c: Float64Array | null;
}

/** Norms (not their logs) of dh_t/du_s and dc_t/du_s. */
export async function differenceNorms(
  model: RecurrentModel,
  index: number,
  shape: readonly number[],
  data: Float64Array,
): Promise<DifferenceNorms> {
  const [batch, sources, width] = shape as [number, number, number];
  const statesAt = async (by: number, at: number): Promise<Pick<LayerRun, 'states' | 'steps'>> => {
    const engine = await loadEngine('reference');
    const { signal } = new AbortController();
    const layer = model.layers[index]!;
    if (!isRecurrent(layer)) throw new Error('not recurrent');
    const moved = data.map((value, place) => (place % (sources * width) === at ? value + by : value));
    const input = await engine.runBelow(model, index, [{ shape, data: moved }], signal);
    return engine.openLayer(layer, input, signal);
  };
  const { steps, states } = await statesAt(0, 0);
  const squares = { h: new Float64Array(batch * steps * sources), c: new Float64Array(batch * steps * sources) };
  for (let at = 0; at < sources * width; at++) {
    const [plus, minus] = [await statesAt(STEP, at), await statesAt(-STEP, at)];
    for (const name of ['h', 'c'] as const) {
      plus.states.forEach((state, side) => {
        const [above, under] = [state[name], minus.states[side]![name]];
        if (!above || !under) return;
        const units = above.length / (batch * steps);
        above.forEach((value, place) => {
          const row = Math.floor(place / units);
          squares[name][row * sources + Math.floor(at / width)]! += ((value - under[place]!) / (2 * STEP)) ** 2;
        });
      });
    }
  }
  const hasCell = states.some(({ c }) => c !== null);
  return { h: squares.h.map(Math.sqrt), c: hasCell ? squares.c.map(Math.sqrt) : null };
}
