/** Orthonormal rows, and the singular values of long triangular products. */
import { describe, expect, it } from 'vitest';
import { singularValues } from '../../../src/core/linalg/decompositions';
import { orthonormalizeRows } from '../../../src/core/linalg/orthonormal-rows';
import { multiply, transpose } from '../../../src/core/linalg/products';
import { TriangularProduct } from '../../../src/core/linalg/triangular-product';
import { largestDifference, normals } from '../random-cell';

/** ln singular values of A_n .. A_1 by QR of each step. */
function logSingularValues(factors: readonly Float64Array[], size: number): Float64Array {
  const product = new TriangularProduct(size);
  let tangents = new Float64Array(size * size);
  for (let at = 0; at < size; at++) tangents[at * size + at] = 1;
  const triangle = new Float64Array(size * size);
  for (const factor of factors) {
    const rows = transpose(multiply(factor, tangents, size, size, size), size, size);
    orthonormalizeRows(rows, size, size, triangle);
    tangents = new Float64Array(transpose(rows, size, size));
    product.multiplyLeft(triangle);
  }
  return product.logSingularValues();
}

describe('orthonormalizeRows', () => {
  it('gives V = R^T Q with orthonormal rows', () => {
    const [count, length] = [7, 9];
    const given = normals(count * length, 3);
    // A nearly dependent row: the second pass is what keeps it orthogonal.
    for (let at = 0; at < length; at++) given[4 * length + at] = given[2 * length + at] + 1e-9 * given[4 * length + at];
    const rows = given.slice();
    const triangle = new Float64Array(count * count);
    orthonormalizeRows(rows, count, length, triangle);
    const gram = multiply(rows, transpose(rows, count, length), count, length, count);
    for (let i = 0; i < count; i++) gram[i * count + i] -= 1;
    expect(largestDifference(gram, new Float64Array(count * count))).toBeLessThan(1e-14);
    const back = multiply(transpose(triangle, count, count), rows, count, count, length);
    expect(largestDifference(back, given)).toBeLessThan(1e-14);
  });

  it('makes a dependent row exactly zero and carries NaN on', () => {
    const rows = Float64Array.of(1, 2, 3, 2, 4, 6, 0, 0, 1);
    const triangle = new Float64Array(9);
    orthonormalizeRows(rows, 3, 3, triangle);
    expect([...rows.subarray(3, 6)]).toEqual([0, 0, 0]);
    expect(triangle[4]).toBe(0);
    expect(triangle[8]).toBeGreaterThan(0);
    const broken = Float64Array.of(1, NaN, 0, 1);
    orthonormalizeRows(broken, 2, 2, new Float64Array(4));
    expect(broken.some(Number.isNaN)).toBe(true);
  });
});

describe('TriangularProduct', () => {
  it('agrees with the decomposition of a short product', () => {
    const size = 6;
    const factors = [1, 2, 3].map((seed) => normals(size * size, seed));
    const product = factors.reduce((sum, factor) => multiply(factor, sum, size, size, size));
    const expected = singularValues(product, size, size).map(Math.log);
    expect(largestDifference(logSingularValues(factors, size), expected)).toBeLessThan(1e-11);
  });

  it.each([
    ['rising', [0.5, 1, 1.1]],
    ['falling', [1.1, 1, 0.5]],
  ])('knows the powers of a %s diagonal, far beyond every float', (_name, diagonal) => {
    const size = 3;
    const factor = new Float64Array(9);
    diagonal.forEach((value, at) => (factor[at * 4] = value));
    const got = logSingularValues(
      Array.from({ length: 20_000 }, () => factor),
      size,
    );
    const expected = [Math.log(1.1), 0, Math.log(0.5)].map((value) => 20_000 * value);
    expect(expected[2]).toBeLessThan(Math.log(1e-300) * 10);
    expect(largestDifference(got, expected)).toBeLessThan(1e-8);
  });

  it('is right to each singular value, down to 1e-3000: a product that is known turned by rotations', () => {
    // A_t = V_t diag(d) V_{t-1}^T with V_t orthogonal: the singular values of the product are d^n, in this order.
    const size = 5;
    const steps = 300;
    const diagonal = [1.2, 1, 0.3, 1e-3, 1e-10];
    const bases = Array.from({ length: steps + 1 }, (_, seed) => {
      const rows = normals(size * size, seed + 1);
      orthonormalizeRows(rows, size, size, new Float64Array(size * size));
      return rows;
    });
    const factors = Array.from({ length: steps }, (_, t) => {
      const scaled = bases[t].slice();
      for (let row = 0; row < size; row++) {
        for (let at = 0; at < size; at++) scaled[row * size + at] *= diagonal[row];
      }
      return multiply(transpose(bases[t + 1], size, size), scaled, size, size, size);
    });
    const got = logSingularValues(factors, size);
    const expected = diagonal.map((value) => steps * Math.log(value));
    expect(expected[4]).toBeLessThan(-3000 * Math.LN2 * 3);
    // Rounding of the factors themselves: 300 times 1e-16 times their condition number 1e10.
    expect(largestDifference(got, expected)).toBeLessThan(1e-4);
  });

  it('gives -Infinity for what is exactly zero and NaN for what is not finite', () => {
    const singular = Float64Array.of(1, 0, 0, 0);
    expect([...logSingularValues([singular], 2)]).toEqual([0, -Infinity]);
    expect([...logSingularValues([Float64Array.of(1, NaN, 0, 1)], 2)]).toEqual([NaN, NaN]);
  });
});
