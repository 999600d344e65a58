/**
 * The third witness: states of Keras itself and Jacobians of an outside autodiff in float64, for every fixture.
 *
 * The layer is fed the input that the framework gave it (`x`), so that only the cells are on trial. States are
 * compared to 1e-5, for the framework computes in float32; Jacobians to 1e-9 of the largest entry.
 */
import { describe, expect, it } from 'vitest';
import { cellsOf, isRecurrent } from '../../../src/core/model';
import { propagateDiagonal } from '../../../src/core/reference/propagate-diagonal';
import { propagateFinal } from '../../../src/core/reference/propagate-final';
import { makeReferenceCell } from '../../../src/core/reference/reference-cell';
import { runCell, type Trajectory } from '../../../src/core/reference/run-cell';
import type { ReferenceCell } from '../../../src/core/reference/cell';
import { kerasFixtureNames, loadKerasFixture, readFixtureModel, type KerasFixture } from '../../support/keras-fixtures';

/** The units `from` to `to` of sequence b in an array `[B, T, H, ..]` or `[B, H]`; empty where there is none. */
function unitsOf(fixture: KerasFixture, name: string, b: number, from: number, to: number): Float64Array {
  const array = fixture.expected.get(name);
  if (array === undefined) return new Float64Array(0);
  const { shape, data } = array;
  const [steps, width, inner] = shape.length === 2 ? [1, shape[1], 1] : [shape[1], shape[2], shape[3] ?? 1];
  const count = (to - from) * inner;
  const out = new Float64Array(steps * count);
  for (let t = 0; t < steps; t++) {
    const start = ((b * steps + t) * width + from) * inner;
    out.set(Float64Array.from(data.subarray(start, start + count)), t * count);
  }
  return out;
}

/** Largest deviation over the largest expected entry. */
function deviation(got: ArrayLike<number>, expected: Float64Array): number {
  expect(got.length).toBe(expected.length);
  let largest = 0;
  let worst = 0;
  for (let at = 0; at < expected.length; at++) {
    largest = Math.max(largest, Math.abs(expected[at]));
    worst = Math.max(worst, Math.abs(got[at] - expected[at]));
  }
  return worst / Math.max(largest, Number.MIN_VALUE);
}

/** dh_t/dx_t (or dc) and dh_T/dx_s (or dc) of a whole sequence. */
function jacobians(cell: ReferenceCell, trajectory: Trajectory): Record<string, Float64Array> {
  const size = trajectory.steps * cell.units * cell.inputDim;
  const block = cell.units * cell.inputDim;
  const names = cell.hasCell ? ['dh_dx', 'dc_dx', 'dhT_dx', 'dcT_dx'] : ['dh_dx', 'dhT_dx'];
  const out = Object.fromEntries(names.map((name) => [name, new Float64Array(size)]));
  for (const { step, dhdx, dcdx } of propagateDiagonal(cell, trajectory)) {
    out.dh_dx.set(dhdx, step * block);
    if (dcdx !== null) out.dc_dx.set(dcdx, step * block);
  }
  for (const { step, h, c } of propagateFinal(cell, trajectory)) {
    out.dhT_dx.set(
      h.jacobian.map((value) => value * 2 ** h.scale),
      step * block,
    );
    if (c !== null)
      out.dcT_dx.set(
        c.jacobian.map((value) => value * 2 ** c.scale),
        step * block,
      );
  }
  return out;
}

describe.each(kerasFixtureNames())('%s', (name) => {
  it('has the states of Keras and the Jacobians of the outside autodiff', async () => {
    const fixture = loadKerasFixture(name);
    const model = await readFixtureModel(fixture);
    const layer = model.layers.find((one) => one.name === fixture.layer);
    if (layer === undefined || !isRecurrent(layer)) throw new Error(`no recurrent layer ${fixture.layer}`);
    const x = fixture.expected.get('x');
    const mask = fixture.expected.get('mask');
    if (x === undefined) throw new Error('no x');
    const [batch, steps, inputDim] = x.shape;
    let from = 0;
    for (const { direction, cell: description } of cellsOf(layer.operation)) {
      const cell = makeReferenceCell(description);
      const to = from + cell.units;
      const part = (array: string, b: number): Float64Array => unitsOf(fixture, array, b, from, to);
      for (let b = 0; b < batch; b++) {
        const input = Float64Array.from(x.data.subarray(b * steps * inputDim, (b + 1) * steps * inputDim));
        const h0 = part('h0', b);
        const c0 = part('c0', b);
        const trajectory = runCell(cell, input, {
          direction,
          mask: mask ? Uint8Array.from(mask.data.subarray(b * steps, (b + 1) * steps)) : null,
          ...(h0.length > 0 ? { initial: { h: h0, c: cell.hasCell ? c0 : null } } : {}),
        });
        expect(deviation(trajectory.h, part('h', b))).toBeLessThan(1e-5);
        if (trajectory.c !== null) expect(deviation(trajectory.c, part('c', b))).toBeLessThan(1e-5);
        for (const [array, got] of Object.entries(jacobians(cell, trajectory))) {
          if (!fixture.expected.has(array)) continue;
          expect(deviation(got, part(array, b)), array).toBeLessThan(1e-9);
        }
      }
      from = to;
    }
  });
});
