/**
 * Every model that Keras made, through the layers below to the states, on all three engines.
 *
 * x, h and c as the framework gives them; Jacobians as an outside autodiff in float64 gives them.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Direction } from '../../src/core/jacobian';
import type { Engine, LayerRun } from '../../src/engine/engine';
import { loadEngine } from '../../src/engine/load-engine';
import { ENGINE_NAMES } from './all-ops';
import { KERAS_FIXTURES, layerInput, modelInputs, openFixture, type OpenFixture } from './keras-fixtures';
import type { FixtureArray } from './read-npz';

const NEVER = new AbortController().signal;

/** Models that are opened: one reading serves the three engines. */
const files = new Map<string, Promise<OpenFixture>>();

/** Largest difference of states, absolute or relative, and of Jacobians over the largest entry. */
const TOLERANCES = { tensorflow: [1e-5, 1e-4], wasm: [1e-5, 1e-4], reference: [1e-9, 1e-9] } as const;

describe.each(ENGINE_NAMES)('fixtures on %s', (name) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await loadEngine(name);
  });
  const [stateTolerance, jacobianTolerance] = TOLERANCES[name];

  it.each(KERAS_FIXTURES)('$name', async (fixture) => {
    const before = engine.tensorCount();
    const opened = files.get(fixture.name) ?? openFixture(fixture);
    files.set(fixture.name, opened);
    const open = await opened;
    const { model, index, layer, expected } = open;
    const input =
      fixture.options['at-layer'] === true
        ? layerInput(fixture, open)
        : await engine.runBelow(model, index, modelInputs(open), NEVER);
    expect(engine.tensorCount()).toBe(before);
    compareStates('x', input.x.data, expected.get('x'), 1e-5);
    const mask = expected.get('mask');
    if (mask) expect(Array.from(input.mask?.data ?? [])).toEqual(Array.from(mask.data));
    else expect(input.mask?.data.includes(0) ?? false).toBe(false);
    // From here on the layer's own numbers count, so that errors of the layers below do not add up.
    const exactX = expected.get('x');
    if (!exactX) throw new Error('no x');
    const x = { shape: input.x.shape, data: Float64Array.from(exactX.data) };

    const run = await engine.openLayer(layer, { ...input, x }, NEVER);
    try {
      compareStates('h', gather(run, 'h'), expected.get('h'), stateTolerance);
      if (expected.has('c')) compareStates('c', gather(run, 'c'), expected.get('c'), stateTolerance);
      await compareJacobians(run, open, jacobianTolerance);
    } finally {
      run.dispose();
    }
    expect(engine.tensorCount()).toBe(before);
  });
});

/** States of all directions side by side, `[B, T, sum of H]`. */
function gather(run: LayerRun, state: 'h' | 'c'): Float64Array {
  const pairs = run.batch * run.steps;
  const parts = run.states.map((states) => states[state] ?? new Float64Array());
  const width = parts.reduce((sum, part) => sum + part.length / pairs, 0);
  const whole = new Float64Array(pairs * width);
  let start = 0;
  for (const part of parts) {
    const units = part.length / pairs;
    for (let pair = 0; pair < pairs; pair++)
      whole.set(part.subarray(pair * units, (pair + 1) * units), pair * width + start);
    start += units;
  }
  return whole;
}

function compareStates(
  what: string,
  got: ArrayLike<number>,
  wanted: FixtureArray | undefined,
  tolerance: number,
): void {
  if (!wanted) throw new Error(`the fixture has no ${what}`);
  expect(got.length, what).toBe(wanted.data.length);
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    worst = Math.max(worst, Math.abs(got[i] - wanted.data[i]) / Math.max(1, Math.abs(wanted.data[i])));
  }
  expect(worst, what).toBeLessThanOrEqual(tolerance);
}

async function compareJacobians(run: LayerRun, { expected }: OpenFixture, tolerance: number): Promise<void> {
  const names = ['dh_dx', 'dc_dx', 'dhT_dx', 'dcT_dx'] as const;
  const { inputDim } = run;
  const sizeOf = (array: ArrayLike<number> | null): number => (array?.length ?? 0) / (run.batch * run.steps);
  const totals = { h: 0, c: 0 };
  for (const { h, c } of run.states) {
    totals.h += sizeOf(h);
    totals.c += sizeOf(c);
  }
  const totalOf = (name: string): number => (name.startsWith('dh') ? totals.h : totals.c);
  const whole = Object.fromEntries(
    names.map((name) => [name, new Float64Array(run.batch * run.steps * totalOf(name) * inputDim)]),
  );
  const rows = { h: 0, c: 0 };
  for (const { direction, h, c } of run.states) {
    const units = sizeOf(h);
    const place = (
      name: string,
      from: ArrayLike<number> | null,
      start: number,
      count: number,
      scale?: Int32Array | null,
    ): void => {
      if (!from) return;
      const block = units * inputDim;
      const row = name.startsWith('dh') ? rows.h : rows.c;
      for (let b = 0; b < run.batch; b++) {
        for (let step = 0; step < count; step++) {
          const at = ((b * run.steps + start + step) * totalOf(name) + row) * inputDim;
          const factor = 2 ** (scale?.[b * count + step] ?? 0);
          for (let i = 0; i < block; i++) whole[name][at + i] = from[(b * count + step) * block + i] * factor;
        }
      }
    };
    await eachChunk(run, direction, place);
    rows.h += units;
    rows.c += sizeOf(c);
  }
  for (const name of names) {
    const wanted = expected.get(name);
    if (!wanted) continue;
    expect(whole[name].length, name).toBe(wanted.data.length);
    const block = totalOf(name) * inputDim;
    // The largest entry of a timestep's block is what a difference is measured by.
    for (let start = 0; start < wanted.data.length; start += block) {
      let [largest, worst] = [0, 0];
      for (let i = start; i < start + block; i++) {
        largest = Math.max(largest, Math.abs(wanted.data[i]));
        worst = Math.max(worst, Math.abs(whole[name][i] - wanted.data[i]));
      }
      expect(worst, `${name} at block ${start / block}`).toBeLessThanOrEqual(tolerance * largest + 1e-36);
    }
  }
}

async function eachChunk(
  run: LayerRun,
  direction: Direction,
  place: (
    name: string,
    from: ArrayLike<number> | null,
    start: number,
    count: number,
    scale?: Int32Array | null,
  ) => void,
): Promise<void> {
  const options = { signal: NEVER, chunkBytes: 2000 };
  for await (const { start, count, dhdx, dcdx } of run.diagonal(direction, options)) {
    place('dh_dx', dhdx, start, count);
    place('dc_dx', dcdx, start, count);
  }
  for await (const chunk of run.final(direction, options)) {
    place('dhT_dx', chunk.dhTdx, chunk.start, chunk.count, chunk.scaleH);
    place('dcT_dx', chunk.dcTdx, chunk.start, chunk.count, chunk.scaleC);
  }
}
