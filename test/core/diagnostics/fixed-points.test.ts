/** D25: fixed points that are known in closed form, and the residual and eigenvalues of those that are not. */
import { describe, expect, it } from 'vitest';
import { findFixedPoints, type FixedPointSearch } from '../../../src/core/diagnostics/fixed-points';
import { LATCHED_STATE } from '../../../src/core/known-runs';
import { solveInPlace } from '../../../src/core/linalg/solve';
import { multiplyVector } from '../../../src/core/linalg/products';
import type { CellDescription } from '../../../src/core/model';
import type { CellState } from '../../../src/core/reference/cell';
import { makeReferenceCell } from '../../../src/core/reference/reference-cell';
import { runCell } from '../../../src/core/reference/run-cell';
import { largestDifference, normals, randomCell, scalarRnn } from '../random-cell';

function search(description: CellDescription, x: number[], starts: readonly CellState[]): FixedPointSearch {
  const walk = findFixedPoints(makeReferenceCell(description), Float64Array.from(x), starts);
  for (;;) {
    const { done, value } = walk.next();
    if (done) return value;
  }
}

const at = (...h: number[]): CellState => ({ h: Float64Array.from(h), c: null });

describe('D25 findFixedPoints', () => {
  it('h = tanh(2h): two attractors of multiplier .166372, and 0 of multiplier 2', () => {
    const starts = [0.8, 1, 0.9, -0.9, -0.8, 0.01].map((h) => at(h));
    const { points, lost } = search(scalarRnn(2, 1, { name: 'tanh' }), [0], starts);
    expect(lost).toBe(0);
    expect(points.map(({ visits }) => visits)).toEqual([3, 2, 1]);
    expect(points.map(({ state }) => state[0])).toEqual([
      expect.closeTo(LATCHED_STATE, 10),
      expect.closeTo(-LATCHED_STATE, 10),
      expect.closeTo(0, 10),
    ]);
    expect(points[0].spectralRadius).toBeCloseTo(0.166372, 6);
    expect(points[2].spectralRadius).toBeCloseTo(2, 10);
    expect(points.map(({ unstable }) => unstable)).toEqual([0, 0, 1]);
  });

  it.each(['LSTM', 'GRU'] as const)('of a contracting %s is where a long constant input leads', (kind) => {
    const description = randomCell({ kind, units: 5, gain: 0.3 });
    const cell = makeReferenceCell(description);
    const input = [0.3, -0.2, 0.5];
    const long = runCell(
      cell,
      Float64Array.from({ length: 3000 }, (_, i) => input[i % 3]),
    );
    const start = { h: new Float64Array(5), c: kind === 'LSTM' ? new Float64Array(5) : null };
    const { points } = search(description, input, [start]);
    expect(points.length).toBe(1);
    const [{ state, residual, spectralRadius, unstable }] = points;
    expect(residual).toBeLessThan(1e-11);
    expect(largestDifference(state.subarray(0, 5), long.h.subarray(-5))).toBeLessThan(1e-9);
    if (long.c) expect(largestDifference(state.subarray(5), long.c.subarray(-5))).toBeLessThan(1e-9);
    expect(spectralRadius).toBeLessThan(1);
    expect(unstable).toBe(0);
  });

  it('counts starts that lead nowhere: h + 1 has no fixed point', () => {
    expect(search(scalarRnn(1, 0, { name: 'linear' }, 1), [0], [at(0), at(3)])).toEqual({ points: [], lost: 2 });
    expect(search(scalarRnn(2, 0, { name: 'tanh' }), [0], [at(NaN)])).toEqual({ points: [], lost: 1 });
  });
});

describe('solveInPlace', () => {
  it('solves, with zeros on the diagonal too', () => {
    const matrix = normals(36, 7);
    matrix[0] = 0;
    const expected = normals(6, 8);
    const vector = multiplyVector(matrix, expected, 6);
    expect(solveInPlace(matrix.slice(), vector, 6)).toBe(true);
    expect(largestDifference(vector, expected)).toBeLessThan(1e-12);
  });

  it('refuses a singular matrix and NaN', () => {
    expect(solveInPlace(Float64Array.of(1, 2, 2, 4), Float64Array.of(1, 1), 2)).toBe(false);
    expect(solveInPlace(Float64Array.of(NaN), Float64Array.of(1), 1)).toBe(false);
  });
});
