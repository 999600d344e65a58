/** Eigenvalues of A_t where they are known: a linear cell, an attractor, an LSTM whose h path is cut. */
import { describe, expect, it } from 'vitest';
import { kernelEigenvalues, stepEigenvalues } from '../../../src/core/diagnostics/step-eigenvalues';
import { carouselLstm, diagonalRnn, LATCHED_STATE, scalarRnn } from '../../../src/core/known-runs';
import { makeReferenceCell, stepJacobians } from '../../../src/core/reference/reference-cell';
import { runCell, stateBefore, type RunCellOptions } from '../../../src/core/reference/run-cell';
import { makeTensor } from '../../../src/core/tensor';
import type { CellDescription } from '../../../src/core/model';
import { normals, randomCell } from '../random-cell';

function found(description: CellDescription, x: Float64Array, count: number, options: RunCellOptions = {}) {
  const cell = makeReferenceCell(description);
  const walk = stepEigenvalues(cell, runCell(cell, x, options), count);
  for (;;) {
    const { done, value } = walk.next();
    if (done) return value;
  }
}

describe('stepEigenvalues', () => {
  it('of a linear cell are those of its recurrent kernel at every step', () => {
    const description = diagonalRnn([0.5, -1.1, 1], [1, 1, 1], { name: 'linear' });
    const steps = found(description, normals(9, 1), 3);
    expect(steps.map(({ step }) => step)).toEqual([0, 4, 8, 0]);
    for (const { values, norm } of steps) {
      expect([...values]).toEqual([-1.1, 0, 1, 0, 0.5, 0].map((value) => expect.closeTo(value, 12)));
      expect(norm).toBeCloseTo(Math.hypot(0.5, 1.1, 1), 12);
    }
    expect([...kernelEigenvalues(description).get('h')!]).toEqual([...steps[0].values]);
  });

  it('of a rotation are a conjugate pair, the positive part first', () => {
    const [c, s] = [0.9 * Math.cos(1), 0.9 * Math.sin(1)];
    const description = {
      ...diagonalRnn([0, 0], [0, 0], { name: 'linear' }),
      recurrentKernel: makeTensor([2, 2], Float64Array.of(c, s, -s, c)),
    };
    const [{ values }] = found(description, new Float64Array(4), 1);
    expect([...values]).toEqual([c, s, c, -s].map((value) => expect.closeTo(value, 12)));
  });

  it('at the attractor of h = tanh(2h) is .166372 although the kernel says 2', () => {
    const description = scalarRnn(2, 1, { name: 'tanh' });
    const initial = { h: Float64Array.of(LATCHED_STATE), c: null };
    const [{ values }] = found(description, new Float64Array(5), 1, { initial });
    expect(values[0]).toBeCloseTo(0.166372, 6);
    expect(kernelEigenvalues(description).get('h')![0]).toBeCloseTo(2, 12);
  });

  it('of an LSTM without recurrent weights are its forget gate and 0', () => {
    const [{ values }] = found(carouselLstm([0, 0, 0, 0], [1, 0, 1, 0]), new Float64Array(4), 1);
    expect([...values]).toEqual([0.5, 0, 0, 0].map((value) => expect.closeTo(value, 12)));
  });

  it('finds the step of largest norm, and counts valid steps alone', () => {
    const description = randomCell({ kind: 'GRU', gain: 2 });
    const cell = makeReferenceCell(description);
    const x = normals(60, 3, 2);
    const mask = Uint8Array.from({ length: 20 }, (_, t) => Number(t > 3 && t !== 8));
    const options = { direction: 'backward', mask } as const;
    const trajectory = runCell(cell, x, options);
    const norms = Array.from({ length: 20 }, (_, n) => {
      const t = 19 - n;
      if (mask[t] === 0) return -1;
      const { stateJacobian } = stepJacobians(cell, x.slice(t * 3, t * 3 + 3), stateBefore(trajectory, cell, n));
      return Math.hypot(...stateJacobian);
    });
    const steps = found(description, x, 2, options);
    expect(steps.map(({ step }) => step)).toEqual([19, 4, 19 - norms.indexOf(Math.max(...norms))]);
    expect(steps[2].norm).toBeCloseTo(Math.max(...norms), 12);
    // The trace is the sum of the eigenvalues.
    const n = 19 - steps[2].step;
    const at = x.slice(steps[2].step * 3, steps[2].step * 3 + 3);
    const { stateJacobian } = stepJacobians(cell, at, stateBefore(trajectory, cell, n));
    const trace = [0, 1, 2, 3].reduce((sum, u) => sum + stateJacobian[5 * u], 0);
    expect(steps[2].values.reduce((sum, value, i) => sum + (i % 2 === 0 ? value : 0), 0)).toBeCloseTo(trace, 12);
  });

  it('of a run that is masked throughout there are none; of NaN they are NaN', () => {
    const description = scalarRnn(0.5, 1, { name: 'tanh' });
    expect(found(description, new Float64Array(2), 1, { mask: Uint8Array.of(0, 0) })).toEqual([]);
    expect(found(description, Float64Array.of(NaN), 1)[0].values[0]).toBeNaN();
  });
});
