import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eigenvalues, qr, singularValueDecomposition, singularValues } from '../../../src/core/linalg/decompositions';
import { identity, multiply, multiplyVector, transpose } from '../../../src/core/linalg/products';
import { binaryExponent, frobeniusNorm, logNorm, scaleByPower } from '../../../src/core/linalg/scaling';
import { spectralNorm } from '../../../src/core/linalg/spectral-norm';
import { largestDifference, normals } from '../random-cell';

describe('products', () => {
  it('multiply, transpose and multiplyVector by hand', () => {
    const a = Float64Array.of(1, 2, 3, 4, 5, 6);
    const b = Float64Array.of(1, 0, 0, 1, 2, -1);
    expect([...multiply(a, b, 2, 3, 2)]).toEqual([7, -1, 16, -1]);
    expect([...transpose(a, 2, 3)]).toEqual([1, 4, 2, 5, 3, 6]);
    expect([...multiplyVector(a, [1, 1, 1], 2)]).toEqual([6, 15]);
    expect([...identity(2)]).toEqual([1, 0, 0, 1]);
  });

  it('multiply carries NaN and infinity through zeros', () => {
    expect(multiply([0], [NaN], 1, 1, 1)[0]).toBeNaN();
    expect(multiply([0], [Infinity], 1, 1, 1)[0]).toBeNaN();
  });
});

describe('scaling', () => {
  it('binaryExponent and scaleByPower are exact over the whole range', () => {
    for (let exponent = -1074; exponent <= 1023; exponent++) {
      const power = scaleByPower(1, exponent);
      expect(binaryExponent(power)).toBe(exponent);
      if (exponent > -1022) expect(binaryExponent(power * (2 - 2 ** -52))).toBe(exponent);
    }
    expect(scaleByPower(3, -2000)).toBe(0);
    expect(scaleByPower(-3, 2000)).toBe(-Infinity);
    expect(scaleByPower(scaleByPower(1.5, -1000), 2000)).toBe(1.5 * 2 ** 1000);
    expect(scaleByPower(0, 5000)).toBe(0);
    expect(scaleByPower(NaN, 3)).toBeNaN();
  });

  it('logNorm neither underflows nor overflows', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 1, max: 20 }), (exponent, size) => {
        const base = normals(size, size);
        const scaled = base.map((value) => scaleByPower(value, exponent));
        expect(logNorm(scaled)).toBeCloseTo(logNorm(base) + exponent * Math.LN2, 10);
        expect(Math.abs(Math.log(frobeniusNorm(scaled)) - logNorm(scaled))).toBeLessThan(1e-9);
      }),
      { numRuns: 200, seed: 3 },
    );
    expect(logNorm([0, -0])).toBe(-Infinity);
    expect(logNorm([1, NaN])).toBeNaN();
    expect(logNorm([NaN, 0])).toBeNaN();
    expect(logNorm([1, -Infinity])).toBe(Infinity);
    expect(frobeniusNorm([3, 4])).toBe(5);
    expect(frobeniusNorm([])).toBe(0);
    expect(frobeniusNorm([NaN])).toBeNaN();
    expect(logNorm(Float64Array.of(3, 9, 4, 9), 0, 2, 2)).toBeCloseTo(Math.log(5), 15);
  });
});

describe('decompositions', () => {
  it.each([
    [7, 4],
    [4, 7],
    [5, 5],
    [1, 6],
  ])('SVD of %d x %d multiplies back', (rows, columns) => {
    const data = normals(rows * columns, 5);
    const { left, values, right } = singularValueDecomposition(data, rows, columns);
    const count = Math.min(rows, columns);
    expect(values).toHaveLength(count);
    const scaled = left.map((value, at) => value * values[at % count]);
    const back = multiply(scaled, transpose(right, columns, count), rows, count, columns);
    expect(largestDifference(back, data)).toBeLessThan(1e-13);
    expect(largestDifference(singularValues(data, rows, columns), values)).toBeLessThan(1e-13);
    expect([...values]).toEqual([...values].sort((a, b) => b - a));
  });

  it('QR multiplies back with orthonormal columns', () => {
    const data = normals(6 * 4, 6);
    const { q, r } = qr(data, 6, 4);
    expect(largestDifference(multiply(q, r, 6, 4, 4), data)).toBeLessThan(1e-14);
    expect(largestDifference(multiply(transpose(q, 6, 4), q, 4, 6, 4), identity(4))).toBeLessThan(1e-14);
  });

  it('eigenvalues of a rotation are on the unit circle', () => {
    const { real, imaginary } = eigenvalues([Math.cos(1), -Math.sin(1), Math.sin(1), Math.cos(1)], 2);
    expect([...real].map((value) => value - Math.cos(1)).every((value) => Math.abs(value) < 1e-15)).toBe(true);
    expect([...imaginary].map(Math.abs)).toEqual([Math.sin(1), Math.sin(1)].map((value) => expect.closeTo(value, 15)));
  });

  it('numbers that are not finite give NaN and end', () => {
    expect(singularValues([1, NaN, 0, 1], 2, 2).every(Number.isNaN)).toBe(true);
    expect(eigenvalues([1, Infinity, 0, 1], 2).real.every(Number.isNaN)).toBe(true);
    expect(spectralNorm([1, NaN, 0, 1], 2, 2)).toBeNaN();
  });
});

describe('spectralNorm', () => {
  it.each([
    [100, 100],
    [80, 300],
    [300, 80],
    [65, 65],
  ])('of a random %d x %d matrix agrees with the full decomposition', (rows, columns) => {
    const data = normals(rows * columns, rows);
    const expected = singularValues(data, rows, columns)[0];
    expect(Math.abs(spectralNorm(data, rows, columns) / expected - 1)).toBeLessThan(1e-9);
  });

  it('of degenerate large matrices: identity, zero, rank one, a zero column', () => {
    expect(spectralNorm(identity(90), 90, 90)).toBeCloseTo(1, 12);
    expect(spectralNorm(new Float64Array(90 * 90), 90, 90)).toBe(0);
    const u = normals(90, 1);
    const rankOne = Float64Array.from({ length: 8100 }, (_, at) => u[Math.floor(at / 90)] * u[at % 90]);
    expect(spectralNorm(rankOne, 90, 90) / frobeniusNorm(u) ** 2).toBeCloseTo(1, 12);
    const single = new Float64Array(90 * 90);
    single[90 * 17 + 5] = -3;
    expect(spectralNorm(single, 90, 90)).toBeCloseTo(3, 12);
  });
});
