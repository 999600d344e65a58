import { describe, expect, it } from 'vitest';
import { checkCausality, checkMask } from '../../../src/core/diagnostics/causality';
import { auditFinal, auditStepJacobians } from '../../../src/core/diagnostics/finite-difference';
import { multiply } from '../../../src/core/linalg/products';
import { logNorm } from '../../../src/core/linalg/scaling';
import type { Direction } from '../../../src/core/jacobian';
import type { CellDescription } from '../../../src/core/model';
import { leadingExponent } from '../../../src/core/reference/leading-exponent';
import { propagateDiagonal } from '../../../src/core/reference/propagate-diagonal';
import { propagateFinal } from '../../../src/core/reference/propagate-final';
import { makeReferenceCell, stepJacobians } from '../../../src/core/reference/reference-cell';
import { runCell, stateBefore } from '../../../src/core/reference/run-cell';
import { largestDifference, normals, randomCell, scalarRnn } from '../random-cell';

const cells: [string, CellDescription][] = [
  ['SimpleRNN', randomCell({ kind: 'SimpleRNN', gain: 1.2 })],
  ['SimpleRNN, softmax', randomCell({ kind: 'SimpleRNN', activation: { name: 'softmax' } })],
  ['LSTM', randomCell({ kind: 'LSTM' })],
  ['LSTM, softmax', randomCell({ kind: 'LSTM', activation: { name: 'softmax' } })],
  ['GRU, reset after', randomCell({ kind: 'GRU' })],
  ['GRU, reset before', randomCell({ kind: 'GRU', resetAfter: false })],
  [
    'LSTM with a projection, peepholes and an own output activation',
    randomCell({ kind: 'LSTM', units: 5, projected: 3, hasPeepholes: true, outputActivation: { name: 'softsign' } }),
  ],
  ['LSTM with peepholes and input_forget', randomCell({ kind: 'LSTM', hasPeepholes: true, inputForget: true })],
  ['LSTM, H = 1, D = 1', randomCell({ kind: 'LSTM', units: 1, inputDim: 1 })],
];
const STEPS = 12;
const directions: Direction[] = ['forward', 'backward'];
const MASK = Uint8Array.of(1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0);

describe.each(cells)('%s', (_title, description) => {
  const cell = makeReferenceCell(description);
  const { units, hiddenSize, inputDim, stateSize } = cell;
  const x = normals(STEPS * inputDim, 9);

  describe.each(directions)('%s', (direction) => {
    const trajectory = runCell(cell, x, { direction });

    it('agrees with central differences of every step and of the whole run', () => {
      expect(auditStepJacobians(cell, trajectory).relativeError).toBeLessThan(1e-10);
      expect(auditFinal(cell, trajectory).relativeError).toBeLessThan(1e-9);
      const masked = runCell(cell, x, { direction, mask: MASK });
      expect(auditFinal(cell, masked).relativeError).toBeLessThan(1e-9);
    });

    it('is causal and blind to masked inputs, bit for bit', () => {
      const h = (mask: Uint8Array | null) => (input: Float64Array) => runCell(cell, input, { direction, mask }).h;
      const causality = checkCausality(h(null), x, STEPS, direction);
      expect(causality).toEqual({ checked: (STEPS * (STEPS - 1)) / 2, violations: [] });
      const mask = checkMask(h(MASK), x, MASK);
      expect(mask).toEqual({ checked: 5 * STEPS, violations: [] });
      // The check sees a mask that is ignored.
      expect(checkMask(h(null), x, MASK).violations.length).toBeGreaterThan(0);
    });

    it('gives the product of dense step Jacobians, masked steps as the identity', () => {
      const masked = runCell(cell, x, { direction, mask: MASK });
      let product: Float64Array = Float64Array.from({ length: stateSize ** 2 }, (_, at) =>
        at % (stateSize + 1) === 0 ? 1 : 0,
      );
      let seen = 0;
      for (const { step, h, c } of propagateFinal(cell, masked)) {
        const n = direction === 'forward' ? step : STEPS - 1 - step;
        expect(n).toBe(STEPS - 1 - seen++);
        if (MASK[step] === 0) {
          expect(h).toMatchObject({ scale: 0, logNorm: -Infinity });
          expect(h.jacobian.every((value) => value === 0)).toBe(true);
          continue;
        }
        const input = x.slice(step * inputDim, (step + 1) * inputDim);
        const jacobians = stepJacobians(cell, input, stateBefore(masked, cell, n));
        const block = multiply(product, jacobians.inputJacobian, stateSize, stateSize, inputDim);
        expect(largestDifference(h.jacobian, block.subarray(0, hiddenSize * inputDim))).toBeLessThan(1e-14);
        expect(h.logNorm).toBeCloseTo(logNorm(block.subarray(0, hiddenSize * inputDim)), 12);
        if (c !== null)
          expect(largestDifference(c.jacobian, block.subarray(hiddenSize * inputDim))).toBeLessThan(1e-14);
        product = multiply(product, jacobians.stateJacobian, stateSize, stateSize, stateSize);
      }
      expect(seen).toBe(STEPS);
    });

    it('has the last block of final as its diagonal there, and zeros at masked steps', () => {
      const last = direction === 'forward' ? STEPS - 1 : 0;
      const diagonal = [...propagateDiagonal(cell, trajectory)].map(({ step, dhdx }) => ({ step, dhdx: dhdx.slice() }));
      expect(diagonal.map(({ step }) => step)).toEqual([...Array(STEPS).keys()]);
      const steps = propagateDiagonal(cell, trajectory);
      for (const { step, dhdx } of steps) {
        if (step !== last) continue;
        const first = propagateFinal(cell, trajectory).next().value;
        expect(first?.step).toBe(last);
        expect(largestDifference(dhdx, first?.h.jacobian ?? [])).toBe(0);
      }
      const masked = runCell(cell, x, { direction, mask: MASK });
      for (const { step, dhdx } of propagateDiagonal(cell, masked)) {
        if (MASK[step] === 0) expect(dhdx.every((value) => value === 0)).toBe(true);
      }
    });
  });

  it('runs backward as forward over the reversed input', () => {
    const reversed = new Float64Array(x.length);
    for (let t = 0; t < STEPS; t++) {
      reversed.set(x.subarray(t * inputDim, (t + 1) * inputDim), (STEPS - 1 - t) * inputDim);
    }
    const backward = runCell(cell, x, { direction: 'backward' });
    const forward = runCell(cell, reversed);
    for (let t = 0; t < STEPS; t++) {
      const mirrored = STEPS - 1 - t;
      expect(backward.h.slice(t * hiddenSize, (t + 1) * hiddenSize)).toEqual(
        forward.h.slice(mirrored * hiddenSize, (mirrored + 1) * hiddenSize),
      );
    }
    expect(leadingExponent(cell, backward, 2)).toBe(leadingExponent(cell, forward, 2));
  });

  it('takes an initial state, and a run of one step', () => {
    const initial = { h: normals(hiddenSize, 4), c: cell.hasCell ? normals(units, 5) : null };
    const whole = runCell(cell, x, { initial });
    const firstHalf = runCell(cell, x.slice(0, 5 * inputDim), { initial });
    const middle = {
      h: firstHalf.h.slice(4 * hiddenSize),
      c: firstHalf.c?.slice(4 * units) ?? null,
    };
    const secondHalf = runCell(cell, x.slice(5 * inputDim), { initial: middle });
    expect(secondHalf.h).toEqual(whole.h.slice(5 * hiddenSize));
    const one = runCell(cell, x.slice(0, inputDim));
    expect([...propagateFinal(cell, one)]).toHaveLength(1);
    expect(one.h).toHaveLength(hiddenSize);
  });
});

describe('states of another engine', () => {
  it('are linearised as they are, not recomputed', () => {
    const cell = makeReferenceCell(randomCell({ kind: 'LSTM' }));
    const own = runCell(cell, normals(6 * 3, 7));
    const given = {
      ...own,
      h: Float64Array.from(Float32Array.from(own.h)),
      c: Float64Array.from(Float32Array.from(own.c ?? [])),
    };
    for (const { step, dhdx } of propagateDiagonal(cell, given)) {
      const { inputJacobian } = stepJacobians(
        cell,
        own.x.slice(3 * step, 3 * step + 3),
        stateBefore(given, cell, step),
      );
      expect(largestDifference(dhdx, inputJacobian.subarray(0, 12))).toBe(0);
    }
    const difference = [...propagateFinal(cell, own)].map(({ h }) => h.logNorm);
    [...propagateFinal(cell, given)].forEach(({ h }, at) => {
      expect(h.logNorm).not.toBe(difference[at]);
      expect(h.logNorm).toBeCloseTo(difference[at], 5);
    });
  });
});

describe('log norms', () => {
  it('are right to 1e-4000 and beyond, and overflow as little', () => {
    for (const w of [0.01, 0.9, 50]) {
      const cell = makeReferenceCell(scalarRnn(w, 0.5, { name: 'linear' }));
      const steps = 2000;
      for (const { step, h } of propagateFinal(cell, runCell(cell, new Float64Array(steps)))) {
        const lag = steps - 1 - step;
        const expected = Math.log(0.5) + lag * Math.log(w);
        expect(Math.abs(h.logNorm - expected)).toBeLessThan(1e-12 * Math.max(1, Math.abs(expected)) + 1e-12);
        expect(Math.log(h.jacobian[0]) + h.scale * Math.LN2).toBeCloseTo(expected, 8);
        const isFloat32 = Math.abs(expected) < 85;
        if (isFloat32) expect(h.scale).toBe(0);
        if (h.scale !== 0) expect(Math.abs(h.jacobian[0])).toBeGreaterThanOrEqual(1);
      }
    }
  });

  it('keep h and c apart: a dead output gate leaves c alone', () => {
    const description = randomCell({ kind: 'LSTM', recurrentActivation: { name: 'hard_sigmoid', slope: 0.2 } });
    const units = 4;
    // Output gate shut for good: h and all that depends on it is exactly zero; c is not.
    description.bias?.data.fill(-100, 3 * units);
    const cell = makeReferenceCell(description);
    const trajectory = runCell(cell, normals(30 * 3, 3));
    for (const { h, c } of propagateFinal(cell, trajectory)) {
      expect(h.logNorm).toBe(-Infinity);
      expect(Number.isFinite(c?.logNorm)).toBe(true);
    }
  });

  it('are -Infinity for an exact zero only', () => {
    const cell = makeReferenceCell(scalarRnn(0, 2, { name: 'tanh' }));
    const norms = [...propagateFinal(cell, runCell(cell, Float64Array.of(1, 1, 1)))].map(({ h }) => h.logNorm);
    expect(norms[0]).toBeCloseTo(Math.log((2 * 4 * Math.exp(-4)) / (1 + Math.exp(-4)) ** 2), 12);
    expect(norms.slice(1)).toEqual([-Infinity, -Infinity]);
  });

  it('are NaN with NaN weights', () => {
    const description = randomCell({ kind: 'LSTM' });
    description.kernel.data[0] = NaN;
    const cell = makeReferenceCell(description);
    const steps = [...propagateFinal(cell, runCell(cell, normals(15, 2)))];
    expect(steps.every(({ h, c }) => Number.isNaN(h.logNorm) && Number.isNaN(c?.logNorm))).toBe(true);
  });
});

describe('leadingExponent', () => {
  it('is the log of the multiplier of a linear cell, and -Infinity when the vector dies', () => {
    const grows = makeReferenceCell(scalarRnn(3, 1, { name: 'linear' }));
    expect(leadingExponent(grows, runCell(grows, new Float64Array(3000)), 0)).toBeCloseTo(Math.log(3), 12);
    const dies = makeReferenceCell(scalarRnn(0, 1, { name: 'tanh' }));
    expect(leadingExponent(dies, runCell(dies, new Float64Array(5)), 0)).toBe(-Infinity);
    expect(leadingExponent(grows, runCell(grows, new Float64Array(5)), 5)).toBeNaN();
  });

  it('does not count masked steps', () => {
    const cell = makeReferenceCell(scalarRnn(0.5, 1, { name: 'linear' }));
    const mask = Uint8Array.of(0, 1, 0, 1, 1);
    expect(leadingExponent(cell, runCell(cell, new Float64Array(5), { mask }), 0)).toBeCloseTo(Math.log(0.5), 14);
  });
});

describe('runCell', () => {
  it('refuses what does not fit', () => {
    const cell = makeReferenceCell(randomCell({ kind: 'LSTM' }));
    const code = { code: 'input/shape-mismatch' };
    expect(() => runCell(cell, normals(10, 1))).toThrow(expect.objectContaining(code));
    expect(() => runCell(cell, normals(9, 1), { mask: new Uint8Array(2) })).toThrow(expect.objectContaining(code));
    const initial = { h: new Float64Array(4), c: null };
    expect(() => runCell(cell, normals(9, 1), { initial })).toThrow(expect.objectContaining(code));
  });
});
