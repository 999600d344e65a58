/** Lyapunov exponents and singular values of whole runs against known values and an independent way. */
import { describe, expect, it } from 'vitest';
import { singularValues } from '../../../src/core/linalg/decompositions';
import { multiply } from '../../../src/core/linalg/products';
import { diagonalRnn, LATCHED_STATE } from '../../../src/core/known-runs';
import type { CellDescription } from '../../../src/core/model';
import { newStepJacobians } from '../../../src/core/reference/cell';
import { leadingExponent } from '../../../src/core/reference/leading-exponent';
import { lyapunovSpectrum } from '../../../src/core/reference/lyapunov-spectrum';
import { makeReferenceCell } from '../../../src/core/reference/reference-cell';
import { runCell, stateBefore } from '../../../src/core/reference/run-cell';
import type { SequenceSpectrum } from '../../../src/core/spectrum-sum';
import { largestDifference, normals, randomCell, scalarRnn } from '../random-cell';

interface Options {
  readonly count?: number;
  readonly warmUp?: number;
  readonly mask?: Uint8Array | null;
  readonly x?: Float64Array;
  readonly h?: Float64Array;
  readonly direction?: 'forward' | 'backward';
}

function spectrumOf(description: CellDescription, steps: number, options: Options = {}): SequenceSpectrum {
  const cell = makeReferenceCell(description);
  const { mask = null, direction = 'forward', h } = options;
  const x = options.x ?? new Float64Array(steps * cell.inputDim);
  const initial = h ? { h, c: null } : undefined;
  const trajectory = runCell(cell, x, { mask, direction, ...(initial && { initial }) });
  const { count = cell.stateSize, warmUp = 0 } = options;
  return lyapunovSpectrum(cell, trajectory, { count, warmUp, hasSingularValues: true });
}

describe('lyapunovSpectrum', () => {
  it('D12: knows the linear network (1.1, 1, .5): .0953, 0, -.6931, sum -.5978', () => {
    const { exponents, isResolved, logSingularValues } = spectrumOf(
      diagonalRnn([0.5, 1.1, 1], [1, 1, 1], { name: 'linear' }),
      100,
    );
    expect(exponents[0]).toBeCloseTo(0.0953, 4);
    expect(exponents[1]).toBeCloseTo(0, 12);
    expect(exponents[2]).toBeCloseTo(-0.6931, 4);
    expect(exponents.reduce((sum, value) => sum + value)).toBeCloseTo(-0.5978, 4);
    expect([...isResolved]).toEqual([1, 1, 1]);
    expect(logSingularValues![2]).toBeCloseTo(100 * Math.log(0.5), 9);
  });

  it('D5, D12: an orthogonal kernel has exponents 0 and singular values 1', () => {
    const units = 8;
    const base = randomCell({ kind: 'SimpleRNN', units, activation: { name: 'linear' } });
    const rows = normals(units * units, 5);
    orthonormalize(rows, units);
    const cell = { ...base, recurrentKernel: { shape: [units, units], data: rows } };
    const { exponents, logSingularValues } = spectrumOf(cell, 300);
    expect(largestDifference(exponents, new Float64Array(units))).toBeLessThan(1e-14);
    expect(largestDifference(logSingularValues!, new Float64Array(units))).toBeLessThan(1e-11);
  });

  it('D5: diag(1, .5) at lag 10 has 1 and 9.766e-4', () => {
    const { logSingularValues } = spectrumOf(diagonalRnn([1, 0.5], [1, 1], { name: 'linear' }), 10);
    expect(Math.exp(logSingularValues![0])).toBeCloseTo(1, 12);
    expect(Math.exp(logSingularValues![1])).toBeCloseTo(9.766e-4, 7);
  });

  it('D9: h = tanh(2h) at its attractor', () => {
    const cell = scalarRnn(2, 1, { name: 'tanh' });
    const { exponents } = spectrumOf(cell, 200, { h: Float64Array.of(LATCHED_STATE) });
    expect(exponents[0]).toBeCloseTo(-1.79353, 5);
  });

  it.each(['SimpleRNN', 'LSTM', 'GRU'] as const)(
    'agrees with the explicit product and the leading exponent: %s',
    (kind) => {
      const description = randomCell({ kind, units: 4, gain: 1.3 });
      const cell = makeReferenceCell(description);
      const steps = 6;
      const x = normals(steps * cell.inputDim, 9);
      const trajectory = runCell(cell, x);
      const size = cell.stateSize;
      let product = new Float64Array(size * size);
      for (let at = 0; at < size; at++) product[at * size + at] = 1;
      const jacobians = newStepJacobians(cell);
      for (let n = 0; n < steps; n++) {
        const input = x.subarray(n * cell.inputDim, (n + 1) * cell.inputDim);
        cell.linearise(input, stateBefore(trajectory, cell, n), jacobians, 'state');
        product = new Float64Array(multiply(jacobians.stateJacobian, product, size, size, size));
      }
      const spectrum = lyapunovSpectrum(cell, trajectory, { count: size, warmUp: 2, hasSingularValues: true });
      const expected = singularValues(product, size, size).map(Math.log);
      // The decomposition of the explicit product is right to 1e-15 of its largest value, no better.
      const bounds = expected.map((value) => 1e-14 * Math.exp(expected[0] - value));
      spectrum.logSingularValues!.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(bounds[i]));
      const leading = lyapunovSpectrum(cell, trajectory, { count: 1, warmUp: 2, hasSingularValues: false });
      expect(leading.exponents[0]).toBeCloseTo(leadingExponent(cell, trajectory, 2), 12);
      expect(leading.logSingularValues).toBeNull();
    },
  );

  it('sums to the log determinant of the product, and the leading ones do not depend on their number', () => {
    const description = randomCell({ kind: 'LSTM', units: 6 });
    const x = normals(80 * 3, 2);
    const all = spectrumOf(description, 80, { x });
    const sum = all.exponents.reduce((total, value) => total + value);
    const sumOfLogs = all.logSingularValues!.reduce((total, value) => total + value);
    expect(80 * sum).toBeCloseTo(sumOfLogs, 6);
    expect(
      largestDifference(spectrumOf(description, 80, { x, count: 3 }).exponents, all.exponents.subarray(0, 3)),
    ).toBe(0);
  });

  it('skips masked steps and runs backwards', () => {
    const description = randomCell({ kind: 'GRU' });
    const x = normals(10 * 3, 4);
    const padded = new Float64Array(14 * 3);
    const mask = new Uint8Array(14);
    for (let t = 0; t < 10; t++) {
      const at = t + (t > 4 ? 3 : 0);
      padded.set(x.subarray(3 * t, 3 * t + 3), 3 * at);
      mask[at] = 1;
    }
    for (const direction of ['forward', 'backward'] as const) {
      const plain = spectrumOf(description, 10, { x, direction, warmUp: 2 });
      const masked = spectrumOf(description, 14, { x: padded, mask, direction, warmUp: 2 });
      expect(largestDifference(masked.exponents, plain.exponents)).toBe(0);
      expect(largestDifference(masked.logSingularValues!, plain.logSingularValues!)).toBe(0);
    }
  });

  it('gives -Infinity for directions that die, marked, and NaN without a counted step', () => {
    const dead = spectrumOf(diagonalRnn([0.5, 0.9], [0, 0], { name: 'relu' }, -1), 5);
    expect([...dead.exponents]).toEqual([-Infinity, -Infinity]);
    expect([...dead.logSingularValues!]).toEqual([-Infinity, -Infinity]);
    const half = spectrumOf(diagonalRnn([0.5, 0], [1, 1], { name: 'linear' }), 5);
    expect(half.exponents[1]).toBe(-Infinity);
    expect([...half.isResolved]).toEqual([1, 0]);
    expect(spectrumOf(diagonalRnn([0.5], [1], { name: 'linear' }), 5, { warmUp: 5 }).exponents[0]).toBeNaN();
  });

  it('draws a curve that ends at the result', () => {
    const { curve, exponents } = spectrumOf(randomCell({ kind: 'SimpleRNN' }), 500, { x: normals(1500, 6) });
    expect(curve.steps.length).toBe(63);
    expect([curve.steps[0], curve.steps.at(-2), curve.steps.at(-1)]).toEqual([8, 496, 500]);
    expect(largestDifference(curve.values.subarray(-4), exponents)).toBe(0);
  });
});

/** Orthonormal rows by plain Gram-Schmidt, apart from the code under test. */
function orthonormalize(rows: Float64Array, size: number): void {
  for (let pass = 0; pass < 2; pass++) {
    for (let j = 0; j < size; j++) {
      for (let i = 0; i < j; i++) {
        let dot = 0;
        for (let at = 0; at < size; at++) dot += rows[i * size + at] * rows[j * size + at];
        for (let at = 0; at < size; at++) rows[j * size + at] -= dot * rows[i * size + at];
      }
      const norm = Math.hypot(...rows.subarray(j * size, (j + 1) * size));
      for (let at = 0; at < size; at++) rows[j * size + at] /= norm;
    }
  }
}
