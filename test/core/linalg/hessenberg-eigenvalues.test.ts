/** Eigenvalues against known ones, traces and determinants. */
import { describe, expect, it } from 'vitest';
import { eigenvalues } from '../../../src/core/linalg/decompositions';
import { multiply } from '../../../src/core/linalg/products';
import { normals } from '../random-cell';

function sorted(matrix: ArrayLike<number>, size: number): [number, number][] {
  const { real, imaginary } = eigenvalues(matrix, size);
  return Array.from(real, (value, at): [number, number] => [value, imaginary[at]]).sort(
    (a, b) => a[0] - b[0] || a[1] - b[1],
  );
}

function expectPairs(got: readonly [number, number][], expected: readonly [number, number][], digits: number): void {
  expect(got.length).toBe(expected.length);
  got.forEach(([real, imaginary], at) => {
    expect(real).toBeCloseTo(expected[at][0], digits);
    expect(imaginary).toBeCloseTo(expected[at][1], digits);
  });
}

describe('eigenvalues', () => {
  it('of an antisymmetric matrix: zero and a pair on the imaginary axis', () => {
    const omega = Math.sqrt(14);
    const { real, imaginary } = eigenvalues([0, 2, -1, -2, 0, 3, 1, -3, 0], 3);
    for (const part of real) expect(part).toBeCloseTo(0, 12);
    const expected = [-omega, 0, omega];
    Float64Array.from(imaginary)
      .sort()
      .forEach((part, at) => expect(part).toBeCloseTo(expected[at], 12));
  });

  it('of a cyclic shift: the roots of unity, which plain shifts never find', () => {
    const size = 8;
    const shift = new Float64Array(size * size);
    for (let row = 0; row < size; row++) shift[row * size + ((row + 1) % size)] = 1;
    const { real, imaginary } = eigenvalues(shift, size);
    real.forEach((part, at) => expect(Math.hypot(part, imaginary[at])).toBeCloseTo(1, 12));
    const angles = Array.from(real, (part, at) => Math.atan2(imaginary[at], part) / (Math.PI / 4));
    expect(new Set(angles.map((angle) => (Math.round(angle) + 8) % 8)).size).toBe(8);
  });

  it('of triangular, badly scaled and defective matrices', () => {
    expectPairs(
      sorted([3, 5, -2, 0, -1, 4, 0, 0, 2], 3),
      [
        [-1, 0],
        [2, 0],
        [3, 0],
      ],
      12,
    );
    expectPairs(
      sorted([1, 1e8, 1e-8, 2], 2),
      [
        [(3 - Math.sqrt(5)) / 2, 0],
        [(3 + Math.sqrt(5)) / 2, 0],
      ],
      12,
    );
    expectPairs(
      sorted([0.9, 10, 0, 0.9], 2),
      [
        [0.9, 0],
        [0.9, 0],
      ],
      12,
    );
    expectPairs(
      sorted([0, 0, 0, 0], 2),
      [
        [0, 0],
        [0, 0],
      ],
      15,
    );
    expectPairs(sorted([7], 1), [[7, 0]], 15);
  });

  it.each([5, 20, 60, 150])('of a random %d x %d matrix: power sums are traces of powers', (size) => {
    const matrix = normals(size * size, size, 1 / Math.sqrt(size));
    const { real, imaginary } = eigenvalues(matrix, size);
    const square = multiply(matrix, matrix, size, size, size);
    const trace = (data: ArrayLike<number>): number =>
      Array.from({ length: size }, (_, at) => data[at * size + at]).reduce((sum, value) => sum + value);
    const sums = { first: 0, second: 0, cube: 0, imaginary: 0 };
    real.forEach((re, at) => {
      const im = imaginary[at];
      sums.first += re;
      sums.second += re * re - im * im;
      sums.cube += re ** 3 - 3 * re * im * im;
      sums.imaginary += im;
    });
    expect(sums.first).toBeCloseTo(trace(matrix), 10);
    expect(sums.second).toBeCloseTo(trace(square), 10);
    expect(sums.cube).toBeCloseTo(trace(multiply(square, matrix, size, size, size)), 10);
    expect(sums.imaginary).toBeCloseTo(0, 12);
  });

  it('agrees with an orthogonal matrix: all on the unit circle', () => {
    // exp of an antisymmetric generator by products of rotations.
    const size = 40;
    let matrix = new Float64Array(size * size);
    for (let at = 0; at < size; at++) matrix[at * size + at] = 1;
    const angles = normals(size * 4, 3);
    angles.forEach((angle, n) => {
      const [i, j] = [n % size, (7 * n + 3) % size];
      if (i === j) return;
      const next = matrix.slice();
      for (let k = 0; k < size; k++) {
        const [u, w] = [matrix[i * size + k], matrix[j * size + k]];
        next[i * size + k] = Math.cos(angle) * u - Math.sin(angle) * w;
        next[j * size + k] = Math.sin(angle) * u + Math.cos(angle) * w;
      }
      matrix = next;
    });
    const { real, imaginary } = eigenvalues(matrix, size);
    real.forEach((part, at) => expect(Math.hypot(part, imaginary[at])).toBeCloseTo(1, 10));
  });

  it('is NaN throughout for what is not finite', () => {
    expect([...eigenvalues([1, Infinity, 0, 1], 2).real]).toEqual([NaN, NaN]);
  });
});
