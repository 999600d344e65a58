import { describe, expect, it } from 'vitest';
import { biasTimescale, forgetTimescale } from '../../../src/core/diagnostics/forget-timescale';
import { gateBlocks, recurrentMatrices } from '../../../src/core/diagnostics/gate-blocks';
import { jacobianNorms } from '../../../src/core/diagnostics/gradient-norms';
import { highwayShare } from '../../../src/core/diagnostics/highway-share';
import { decayOf, horizonOf } from '../../../src/core/diagnostics/horizon';
import { lagSeries } from '../../../src/core/diagnostics/lag-series';
import { orthogonality } from '../../../src/core/diagnostics/orthogonality';
import { meanReceptiveField, receptiveField } from '../../../src/core/diagnostics/receptive-field';
import { gateSaturation } from '../../../src/core/diagnostics/saturation';
import { nonNormalPeak, spectralRadius } from '../../../src/core/diagnostics/spectral-radius';
import { blockStatistics, weightStatistics } from '../../../src/core/diagnostics/weight-statistics';
import { singularValues } from '../../../src/core/linalg/decompositions';
import { multiply } from '../../../src/core/linalg/products';
import { logNorm } from '../../../src/core/linalg/scaling';
import { makeReferenceCell, stepJacobians } from '../../../src/core/reference/reference-cell';
import { runCell, stateBefore } from '../../../src/core/reference/run-cell';
import { makeTensor } from '../../../src/core/tensor';
import { normals, randomCell } from '../random-cell';

describe('D1 jacobianNorms', () => {
  it('gives total, row and column norms by hand', () => {
    const norms = jacobianNorms(Float32Array.of(3, 4, 0, 0, 0, 0, 0, 5), 2, 2, 2);
    expect([...norms.total].map(Math.exp)).toEqual([expect.closeTo(5, 12), expect.closeTo(5, 12)]);
    expect([...norms.units]).toEqual([
      expect.closeTo(Math.log(5), 12),
      -Infinity,
      -Infinity,
      expect.closeTo(Math.log(5), 12),
    ]);
    expect([...norms.features]).toEqual(
      [Math.log(3), Math.log(4), -Infinity, Math.log(5)].map((value) =>
        value === -Infinity ? value : expect.closeTo(value, 12),
      ),
    );
  });

  it('keeps blocks at the ends of float32 and float64, and the scale beside them', () => {
    for (const [data, log] of [
      [Float32Array.of(1e-45), Math.log(2 ** -149)],
      [Float32Array.of(3e38), Math.log(3e38)],
      [Float64Array.of(5e-324), Math.log(2) * -1074],
      [Float64Array.of(1e308), Math.log(1e308)],
    ] as const) {
      const norms = jacobianNorms(data, 1, 1, 1);
      for (const kind of ['total', 'units', 'features'] as const) expect(norms[kind][0]).toBeCloseTo(log, 6);
    }
    const scaled = jacobianNorms(Float32Array.of(1), 1, 1, 1, Int32Array.of(-20_000));
    expect(scaled.total[0]).toBeCloseTo(-20_000 * Math.LN2, 9);
    expect(jacobianNorms(Float32Array.of(0), 1, 1, 1, Int32Array.of(5)).total[0]).toBe(-Infinity);
    expect(jacobianNorms(Float32Array.of(NaN, 1), 1, 2, 1).units[0]).toBeNaN();
    expect(jacobianNorms(Float32Array.of(NaN, 1), 1, 2, 1).total[0]).toBeNaN();
  });
});

describe('lagSeries', () => {
  it('counts from the last computed step and leaves masked steps out', () => {
    expect([...lagSeries([1, 2, 3], 'forward')]).toEqual([3, 2, 1]);
    expect([...lagSeries([1, 2, 3], 'backward')]).toEqual([1, 2, 3]);
    expect([...lagSeries([1, 2, 3, 4], 'forward', [1, 0, 1, 0])]).toEqual([3, 1]);
    expect([...lagSeries([1, 2, 3, 4], 'backward', [0, 1, 1, 0])]).toEqual([2, 3]);
  });
});

describe('D8 spectral radius and its transient', () => {
  it('of a rotation, a nilpotent and a single number', () => {
    expect(spectralRadius([0, -2, 2, 0], 2)).toBeCloseTo(2, 14);
    expect(spectralRadius([0, 5, 0, 0], 2)).toBe(0);
    expect(spectralRadius([-0.25], 1)).toBe(0.25);
    expect(spectralRadius([NaN], 1)).toBeNaN();
  });

  it('(U^20)_12 of the shear is 27.017', () => {
    const shear = [0.9, 10, 0, 0.9];
    let power = Float64Array.from(shear);
    for (let k = 1; k < 20; k++) power = Float64Array.from(multiply(power, shear, 2, 2, 2));
    expect(power[1]).toBeCloseTo(27.017, 3);
  });

  it('settles at once for a contraction, never for growth, and is NaN for NaN', () => {
    expect(nonNormalPeak([0.5, 0, 0, 0.25], 2)).toEqual({ value: expect.closeTo(0.5, 14), power: 1, isSettled: true });
    expect(nonNormalPeak([1.5], 1).isSettled).toBe(false);
    expect(nonNormalPeak([0, 0, 0, 0], 2)).toEqual({ value: 0, power: 1, isSettled: true });
    expect(nonNormalPeak([NaN], 1).value).toBeNaN();
  });

  it('finds the peak that looking at every power finds', () => {
    const size = 12;
    const matrix = normals(size * size, 5, 0.9 / Math.sqrt(size));
    let power = Float64Array.from(matrix);
    let best = 0;
    for (let k = 1; k <= 400; k++) {
      best = Math.max(best, singularValues(power, size, size)[0]);
      power = Float64Array.from(multiply(power, matrix, size, size, size));
    }
    const peak = nonNormalPeak(matrix, size);
    expect(peak.isSettled).toBe(true);
    expect(peak.value).toBeCloseTo(best, 10);
  });
});

describe('D10 orthogonality', () => {
  it('of the identity, of a zero matrix and with NaN', () => {
    expect(orthogonality([1, 0, 0, 1], 2)).toEqual({ margin: 0, deviation: 0 });
    expect(orthogonality([0, 0, 0, 0], 2)).toEqual({ margin: 1, deviation: Math.SQRT2 });
    expect(orthogonality([NaN, 0, 0, 1], 2).margin).toBeNaN();
  });
});

describe('D15 horizon', () => {
  it('is the first lag from which the norm stays below', () => {
    expect(horizonOf([0, -8, -1, -8, -9])).toBe(3);
    expect(horizonOf([0, -8, -8, -1])).toBeNull();
    expect(horizonOf([5, -Infinity])).toBe(1);
    expect(horizonOf([0])).toBeNull();
    expect(horizonOf([])).toBeNull();
    expect(horizonOf([0, NaN])).toBeNull();
  });

  it('decayOf has a negative time constant for growth', () => {
    expect(decayOf(-0.5)).toEqual({ slope: -0.5, timeConstant: 2, halfLife: 2 * Math.LN2 });
    expect(decayOf(0.5)).toEqual({ slope: 0.5, timeConstant: -2, halfLife: 2 * Math.LN2 });
  });
});

describe('D16 receptiveField', () => {
  it('of one lag, of two equal lags, of norms that no float holds', () => {
    expect(receptiveField([3])).toEqual({ mean: 0, spread: 0, lag95: 0 });
    expect(receptiveField([-Infinity, -5000, -5000])).toEqual({ mean: 1.5, spread: 0.5, lag95: 2 });
  });

  it('is null without a norm above zero or with NaN; a batch leaves those out', () => {
    expect(receptiveField([-Infinity])).toBeNull();
    expect(receptiveField([0, NaN])).toBeNull();
    expect(meanReceptiveField([[0], [-Infinity, 0], [NaN]])).toEqual({ mean: 0.5, spread: 0, lag95: 0 });
    expect(meanReceptiveField([[NaN]])).toBeNull();
  });
});

describe('D17 forgetTimescale', () => {
  it('is the decay of the product of the gates, masked steps left out', () => {
    const gate = Float32Array.of(0.5, 1, 0.25, 1, 0.9, 0.9);
    const { perUnit, median, max } = forgetTimescale(gate, 2, [1, 1, 0]);
    expect(perUnit[0]).toBeCloseTo(-2 / Math.log(0.125), 12);
    expect(perUnit[1]).toBe(Infinity);
    expect(max).toBe(Infinity);
    expect(median).toBe(Infinity);
    expect(forgetTimescale(Float64Array.of(0), 1).max).toBe(0);
  });

  it('from the bias alone, with an odd number of units', () => {
    const { perUnit, median } = biasTimescale(Float64Array.of(1, 4.5951, -1), { name: 'sigmoid' });
    expect(perUnit[1]).toBeCloseTo(99.5, 1);
    expect(median).toBe(perUnit[0]);
  });
});

describe('D19 gateSaturation', () => {
  it('counts per unit and in all, masked steps and NaN left out', () => {
    const gate = Float64Array.of(0.05, 0.95, 0.5, 0.95, NaN, 0.2, 0, 0);
    const { left, right, leftPerUnit, rightPerUnit } = gateSaturation(gate, 2, [1, 1, 1, 0]);
    expect([...leftPerUnit]).toEqual([1 / 3, 0]);
    expect([...rightPerUnit]).toEqual([0, 2 / 3]);
    expect(left).toBeCloseTo(1 / 6, 15);
    expect(right).toBeCloseTo(1 / 3, 15);
  });

  it('takes .1 and .9 themselves as neither', () => {
    expect(gateSaturation(Float64Array.of(0.1, 0.9), 1)).toMatchObject({ left: 0, right: 0 });
  });
});

describe('D20 highwayShare', () => {
  it('is the forget product over the cc block of the dense product', () => {
    const cell = makeReferenceCell(randomCell({ kind: 'LSTM', units: 3 }));
    const trajectory = runCell(cell, normals(3 * 8, 5));
    const lags = [1, 3, 8];
    const shares = highwayShare(cell, trajectory, lags);
    let product: Float64Array = Float64Array.from({ length: 36 }, (_, at) => (at % 7 === 0 ? 1 : 0));
    const gates = new Float64Array(3).fill(1);
    for (let lag = 1; lag <= 8; lag++) {
      const t = 8 - lag;
      const { stateJacobian } = stepJacobians(
        cell,
        trajectory.x.slice(3 * t, 3 * t + 3),
        stateBefore(trajectory, cell, t),
      );
      product = multiply(product, stateJacobian, 6, 6, 6);
      for (let u = 0; u < 3; u++) gates[u] *= trajectory.gates.f[3 * t + u];
      const place = lags.indexOf(lag);
      if (place < 0) continue;
      const block = [0, 1, 2].flatMap((row) => [...product.slice((3 + row) * 6 + 3, (4 + row) * 6)]);
      expect(shares[place]).toBeCloseTo(Math.exp(logNorm(gates) - logNorm(block)), 12);
    }
  });

  it('is NaN past the sequence, and refuses a GRU', () => {
    const cell = makeReferenceCell(randomCell({ kind: 'LSTM' }));
    expect(highwayShare(cell, runCell(cell, normals(9, 1)), [3, 10])[1]).toBeNaN();
    const gru = makeReferenceCell(randomCell({ kind: 'GRU' }));
    expect(() => highwayShare(gru, runCell(gru, normals(9, 1)), [1])).toThrow('only an LSTM');
  });
});

describe('weight statistics', () => {
  it('of a block by hand, population standard deviation', () => {
    expect(blockStatistics(Float64Array.of(1, 2, 3, 4), 2, 2, true)).toEqual({
      min: 1,
      max: 4,
      mean: 2.5,
      std: Math.sqrt(1.25),
      l2: expect.closeTo(Math.sqrt(30), 12),
      spectralNorm: expect.closeTo(5.464985704219043, 12),
    });
  });

  it('split a tensor by gate, biases included', () => {
    const bias = makeTensor(
      [2, 6],
      Float32Array.from({ length: 12 }, (_, at) => at),
    );
    const statistics = weightStatistics(bias, 'GRU', 'bias');
    expect(Object.keys(statistics)).toEqual(['z', 'r', 'n']);
    expect(statistics.r).toMatchObject({ min: 2, max: 9, mean: 5.5, spectralNorm: null });
    const kernel = makeTensor(
      [2, 4],
      Float32Array.from({ length: 8 }, (_, at) => at),
    );
    expect(gateBlocks(kernel, 'LSTM').map(({ gate, data }) => [gate, ...data])).toEqual([
      ['i', 0, 4],
      ['f', 1, 5],
      ['g', 2, 6],
      ['o', 3, 7],
    ]);
    expect(Object.keys(weightStatistics(makeTensor([1, 1], Float64Array.of(2)), 'SimpleRNN', 'kernel'))).toEqual(['h']);
  });

  it('are null where a number is not finite', () => {
    const statistics = weightStatistics(makeTensor([1, 4], Float32Array.of(NaN, 1, Infinity, 2)), 'LSTM', 'kernel');
    const none = { min: null, max: null, mean: null, std: null, l2: null, spectralNorm: null };
    expect(statistics).toMatchObject({ i: none, g: none, f: { mean: 1 }, o: { mean: 2 } });
  });

  it('recurrentMatrices act on the state: U h', () => {
    const description = randomCell({ kind: 'LSTM' });
    const [input] = recurrentMatrices(description);
    expect(input.gate).toBe('i');
    // U[u, v] = kernel[v, u].
    expect(input.data[1 * 4 + 2]).toBe(description.recurrentKernel.data[2 * 16 + 1]);
  });
});
