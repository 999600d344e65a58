import { beforeAll, describe, expect, it } from 'vitest';
import {
  ACTIVATION_NAMES,
  isElementwise,
  scalarActivation,
  vectorActivation,
  vectorActivationJacobian,
  type ActivationDescription,
  type VectorActivationName,
} from '../../src/core/activations';
import { activate, activationDerivative, activationJacobian } from '../../src/engine/ops/activations';
import type { Ops } from '../../src/engine/ops';
import { ALL_OPS, noise } from './all-ops';

/** Every activation with its usual parameters, and those that have others. */
const DESCRIPTIONS: readonly ActivationDescription[] = [
  ...ACTIVATION_NAMES.map((name) => ({ name })),
  { name: 'hard_sigmoid', slope: 0.2 },
  { name: 'hard_sigmoid', slope: 0.75, offset: 0.25 },
  { name: 'affine', slope: -1.5, offset: 0.75 },
  { name: 'scaled_tanh', alpha: 1.75, slope: -0.5 },
  { name: 'leaky_relu', negativeSlope: 0.01 },
  { name: 'threshold', threshold: 1.25, alpha: 0 },
  { name: 'relu', negativeSlope: 0.1 },
  { name: 'relu', maxValue: 6 },
  { name: 'relu', negativeSlope: 0.25, threshold: 0.5, maxValue: 2 },
  { name: 'leaky_relu', negativeSlope: 0.3 },
  { name: 'elu', alpha: 0.7 },
  { name: 'celu', alpha: 1.5 },
  { name: 'threshold', threshold: 0.3, alpha: -1 },
];
const ELEMENTWISE = DESCRIPTIONS.filter(({ name }) => isElementwise(name));
const VECTOR = DESCRIPTIONS.filter(({ name }) => !isElementwise(name));

/** Ordinary arguments, kinks, and saturated ones, all exact in float32. */
const ARGUMENTS = Float32Array.of(
  ...[0, 0.5, -0.5, 1, -1, 2, -2, 3, -3, 6, -6, 0.25, -0.125, 0.75, -0.3, 1e-3, -1e-3],
  ...[4, -4, 5, -5, 7, -7, 8, -8, 10, -10, 15, -15, 20, -20, 40, -40],
);

describe.each(ALL_OPS)('activations on %s', (name, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });
  const tolerance = name === 'float64' ? 1e-13 : 4e-6;

  it.each(ELEMENTWISE)('value and derivative of $name $slope $negativeSlope $maxValue $alpha', (description) => {
    const before = ops.tensorCount();
    const { values, slopes } = ops.tidy(() => {
      const a = ops.upload(ARGUMENTS, [ARGUMENTS.length]);
      return {
        values: ops.read(activate(ops, description, a)),
        slopes: ops.read(activationDerivative(ops, description, a)),
      };
    });
    expect(ops.tensorCount()).toBe(before);
    const exact = scalarActivation(description);
    ARGUMENTS.forEach((a, i) => {
      const [value, slope] = [exact.value(a), exact.derivative(a)];
      // tanh_shrink cancels near 0 in float32, as it does in Keras.
      expect(Math.abs(values[i] - value), `value at ${a}: ${values[i]}, not ${value}`).toBeLessThanOrEqual(
        tolerance * (description.name === 'tanh_shrink' ? Math.max(1, Math.abs(value)) : Math.abs(value)) + 1e-37,
      );
      expect(Math.abs(slopes[i] - slope), `slope at ${a}: ${slopes[i]}, not ${slope}`).toBeLessThanOrEqual(
        tolerance * Math.abs(slope) + 1e-37,
      );
    });
  });

  it.each(VECTOR)('value and Jacobian of $name', ({ name: vector }) => {
    const [rows, n] = [6, 5];
    const a = noise(rows * n, 4).map((value, i) => value * [1, 3, 10, 30, 0.01, 60][Math.floor(i / n)]);
    a[2 * n + 1] = a[2 * n];
    const before = ops.tensorCount();
    const { values, slopes, shape } = ops.tidy(() => {
      const uploaded = ops.upload(a, [2, 3, n]);
      const jacobian = activationJacobian(ops, { name: vector }, uploaded);
      return {
        values: ops.read(activate(ops, { name: vector }, uploaded)),
        slopes: ops.read(jacobian),
        shape: jacobian.shape,
      };
    });
    expect(ops.tensorCount()).toBe(before);
    expect(shape).toEqual([2, 3, n, n]);
    for (let r = 0; r < rows; r++) {
      const given = Float64Array.from(a.subarray(r * n, (r + 1) * n));
      const [value, jacobian] = [new Float64Array(n), new Float64Array(n * n)];
      vectorActivation(vector as VectorActivationName, given, value);
      vectorActivationJacobian(vector as VectorActivationName, given, jacobian);
      const largest = Math.max(...jacobian.map(Math.abs), 1e-37);
      value.forEach((wanted, i) =>
        expect(Math.abs(values[r * n + i] - wanted)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(wanted))),
      );
      jacobian.forEach((wanted, i) =>
        expect(Math.abs(slopes[r * n * n + i] - wanted)).toBeLessThanOrEqual(tolerance * 10 * largest),
      );
    }
  });

  it('gives NaN for NaN, never a number', () => {
    for (const description of DESCRIPTIONS) {
      const got = ops.tidy(() => ops.read(activate(ops, description, ops.upload([NaN, 1, NaN], [3]))));
      const wanted = isElementwise(description.name) ? scalarActivation(description).value(NaN) : NaN;
      expect(got[0], description.name).toEqual(wanted);
    }
  });

  it('refuses an entrywise derivative of softmax', () => {
    const a = ops.fill([2], 1);
    expect(() => activationDerivative(ops, { name: 'softmax' }, a)).toThrow('not elementwise');
    ops.dispose(a);
  });
});
