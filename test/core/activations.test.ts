import { describe, expect, it } from 'vitest';
import {
  ACTIVATION_NAMES,
  activate,
  activationDerivative,
  activationJacobian,
  isElementwise,
  scalarActivation,
  type ActivationDescription,
  type ActivationName,
} from '../../src/core/activations';
import { normalDistribution } from '../../src/core/activations/error-function';
import { largestDifference, normals } from './random-cell';

/** Where an activation has a kink or jump; differences across it say nothing. */
const KINKS: Partial<Record<ActivationName, readonly number[]>> = {
  hard_sigmoid: [-3, 3],
  relu: [0],
  relu6: [0, 6],
  leaky_relu: [0],
  elu: [0],
  selu: [0],
  celu: [0],
  hard_silu: [-3, 3],
  hard_tanh: [-1, 1],
  soft_shrink: [-0.5, 0.5],
  hard_shrink: [-0.5, 0.5],
  threshold: [0],
  sparse_plus: [-1, 1],
  sparse_sigmoid: [-1, 1],
};

const SCALAR_NAMES = ACTIVATION_NAMES.filter(isElementwise);
const VECTOR_NAMES = ACTIVATION_NAMES.filter((name) => !isElementwise(name));
const STEP = 1e-3;

/** Fourth-order central difference; error about 1e-12 for derivatives of order 1. */
function difference(f: (a: number) => number, a: number): number {
  return (f(a - 2 * STEP) - 8 * f(a - STEP) + 8 * f(a + STEP) - f(a + 2 * STEP)) / (12 * STEP);
}

describe.each(SCALAR_NAMES)('%s', (name) => {
  const { value, derivative } = scalarActivation({ name });
  const points = Array.from({ length: 241 }, (_, k) => -6.03 + 0.05 * k);

  it('has the derivative of its value', () => {
    for (const a of points) {
      if ((KINKS[name] ?? []).some((kink) => Math.abs(a - kink) < 3 * STEP)) continue;
      const scale = Math.max(1, Math.abs(derivative(a)));
      // Truncation h^4 f''''' / 30 and rounding 1e-16 / h, with room for the larger fifth derivatives.
      expect(Math.abs(derivative(a) - difference(value, a)) / scale).toBeLessThan(2e-11);
    }
  });

  it('stays a number at extreme arguments', () => {
    for (const a of [-700, -50, -0, 0, 50, 700]) {
      expect(Number.isFinite(value(a))).toBe(true);
      expect(Number.isFinite(derivative(a))).toBe(true);
    }
    // A comparison with NaN is false, so that TensorFlow's threshold replaces a NaN too.
    expect(Number.isNaN(value(NaN))).toBe(name !== 'threshold');
  });

  it('keeps its tails: the derivative at 50 and -50 is within rounding of its limit', () => {
    const limits: Partial<Record<ActivationName, [number, number]>> = {
      tanh: [4 * Math.exp(-100), 4 * Math.exp(-100)],
      sigmoid: [Math.exp(-50), Math.exp(-50)],
      softplus: [Math.exp(-50), 1],
      log_sigmoid: [1, Math.exp(-50)],
      silu: [-49 * Math.exp(-50), 1],
      squareplus: [1 / 2500, 1],
      softsign: [1 / 51 ** 2, 1 / 51 ** 2],
    };
    const limit = limits[name];
    if (limit === undefined) return;
    const [low, high] = limit;
    // squareplus has its limit to the order 1/a^4 only.
    const tolerance = name === 'squareplus' ? 2e-3 : 1e-12;
    expect(Math.abs(derivative(-50) / low - 1)).toBeLessThan(tolerance);
    expect(Math.abs(derivative(50) / high - 1)).toBeLessThan(tolerance);
  });
});

/** True where an entry is about to enter or leave the support of sparsemax. */
function isNearKink(a: Float64Array): boolean {
  const y = activate({ name: 'sparsemax' }, a);
  const inside = y.findIndex((value) => value > 0);
  const threshold = a[inside] - y[inside];
  return a.some((value) => Math.abs(value - threshold) < 4 * STEP);
}

describe.each(VECTOR_NAMES)('%s', (name) => {
  it('has the Jacobian of its value', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const a = normals(5, seed);
      if (name === 'sparsemax' && isNearKink(a)) continue;
      const jacobian = activationJacobian({ name }, a);
      for (let column = 0; column < 5; column++) {
        for (let row = 0; row < 5; row++) {
          const along = (x: number): number => {
            const moved = Float64Array.from(a);
            moved[column] = x;
            return activate({ name }, moved)[row];
          };
          expect(Math.abs(jacobian[row * 5 + column] - difference(along, a[column]))).toBeLessThan(1e-11);
        }
      }
    }
  });

  it('stays a number when saturated', () => {
    const a = Float64Array.of(700, -700, 0);
    expect(activate({ name }, a).every(Number.isFinite)).toBe(true);
    expect(activationJacobian({ name }, a).every(Number.isFinite)).toBe(true);
  });

  it('is no elementwise activation', () => {
    expect(() => activationDerivative({ name }, Float64Array.of(1))).toThrow('not elementwise');
  });
});

describe('values', () => {
  const cases: [ActivationDescription, number, number, number][] = [
    // description, a, value, derivative: by hand, and at kinks as TensorFlow differentiates.
    [{ name: 'relu' }, 0, 0, 0],
    [{ name: 'relu6' }, 6, 6, 0],
    [{ name: 'relu', maxValue: 2 }, 2, 2, 1],
    [{ name: 'relu', maxValue: 2 }, 2.5, 2, 0],
    [{ name: 'relu', negativeSlope: 0.25 }, 0, 0, 0.25],
    [{ name: 'relu', negativeSlope: 0.5, threshold: 1 }, -1, -1, 0.5],
    [{ name: 'relu', threshold: 1 }, 0.5, 0, 0],
    [{ name: 'leaky_relu' }, -2, -0.4, 0.2],
    [{ name: 'hard_sigmoid', slope: 0.2 }, 2.5, 1, 0.2],
    [{ name: 'hard_sigmoid', slope: 0.2 }, 1, 0.7, 0.2],
    [{ name: 'hard_sigmoid' }, 3, 1, 0],
    [{ name: 'hard_sigmoid' }, 1.5, 0.75, 1 / 6],
    [{ name: 'hard_sigmoid', slope: 0.5, offset: 0.25 }, 1.5, 1, 0.5],
    [{ name: 'hard_sigmoid', slope: 0.5, offset: 0.25 }, 1, 0.75, 0.5],
    [{ name: 'affine', slope: -2, offset: 0.5 }, 3, -5.5, -2],
    [{ name: 'scaled_tanh', alpha: 3, slope: 2 }, 0.5, 3 * Math.tanh(1), 6 * (1 - Math.tanh(1) ** 2)],
    [{ name: 'hard_tanh' }, 1, 1, 1],
    [{ name: 'elu', alpha: 2 }, 0, 0, 2],
    [{ name: 'selu' }, 0, 0, 1.0507009873554805],
    [{ name: 'celu', alpha: 2 }, -2, 2 * Math.expm1(-1), Math.exp(-1)],
    [{ name: 'threshold', threshold: 1, alpha: -7 }, 0.5, -7, 0],
    [{ name: 'sparse_plus' }, 0, 0.25, 0.5],
    [{ name: 'squareplus' }, 0, 1, 0.5],
    [{ name: 'gelu' }, 1, 0.8413447460685429, 0.8413447460685429 + Math.exp(-0.5) / Math.sqrt(2 * Math.PI)],
    [{ name: 'mish' }, 1, Math.tanh(Math.log1p(Math.E)), 1.0490362200997922],
  ];
  it.each(cases)('%o at %d', (description, a, value, derivative) => {
    const activation = scalarActivation(description);
    expect(activation.value(a)).toBeCloseTo(value, 14);
    expect(activation.derivative(a)).toBeCloseTo(derivative, 14);
  });

  it('softmax sums to 1 and its Jacobian rows to 0', () => {
    const a = normals(6, 3);
    const y = activate({ name: 'softmax' }, a);
    expect(y.reduce((sum, one) => sum + one, 0)).toBeCloseTo(1, 14);
    const jacobian = activationJacobian({ name: 'softmax' }, a);
    for (let row = 0; row < 6; row++) {
      expect(jacobian.subarray(6 * row, 6 * row + 6).reduce((sum, one) => sum + one, 0)).toBeCloseTo(0, 14);
    }
  });

  it('sparsemax of (1, 0.5, -1) is (0.75, 0.25, 0)', () => {
    const y = activate({ name: 'sparsemax' }, Float64Array.of(1, 0.5, -1));
    expect(largestDifference(y, [0.75, 0.25, 0])).toBeLessThan(1e-15);
  });
});

describe('normalDistribution', () => {
  it.each([
    // mpmath, 20 digits.
    [-10, 7.619853024160526e-24],
    [-3, 0.0013498980316300945],
    [-2.83, 0.0023274002067315556],
    [0, 0.5],
    [1.96, 0.9750021048517795],
    [5, 0.9999997133484281],
  ])('at %d', (x, expected) => {
    expect(Math.abs(normalDistribution(x) / expected - 1)).toBeLessThan(1e-13);
  });
});
