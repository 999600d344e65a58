/** Diagnostics that rest on exponents and singular values: their edges; the known values stand in the table. */
import { describe, expect, it } from 'vitest';
import { eulerGain, largestRealPart } from '../../../src/core/diagnostics/antisymmetric-reading';
import { entropyRate, kaplanYorkeDimension } from '../../../src/core/diagnostics/attractor-dimension';
import { effectiveRank, stableRank } from '../../../src/core/diagnostics/channel-rank';
import { chronoRange } from '../../../src/core/diagnostics/chrono-range';
import { conditionNumber } from '../../../src/core/diagnostics/condition-number';
import { pascanuBound, steepestSlope } from '../../../src/core/diagnostics/pascanu-bound';

describe('D14 kaplanYorkeDimension and entropyRate', () => {
  it('is 0 for contraction, S for growth of every volume, and stops at a direction that dies', () => {
    expect(kaplanYorkeDimension([-0.1, -0.2], 2)).toBe(0);
    expect(kaplanYorkeDimension([0.3, 0.1], 2)).toBe(2);
    expect(kaplanYorkeDimension([0.3, -Infinity], 2)).toBe(1);
    expect(entropyRate([-0.1, -0.2], 2)).toBe(0);
    expect(entropyRate([0.3, 0.1], 2)).toBeCloseTo(0.4, 14);
  });

  it('is null where more exponents are needed, and for NaN', () => {
    expect(kaplanYorkeDimension([0.3, 0.1], 3)).toBeNull();
    expect(entropyRate([0.3, 0.1], 3)).toBeNull();
    expect(entropyRate([0.3, -0.1], 3)).toBeCloseTo(0.3, 14);
    expect(kaplanYorkeDimension([NaN], 1)).toBeNull();
    expect(entropyRate([NaN], 1)).toBeNull();
  });
});

describe('D6 conditionNumber', () => {
  it('of an orthogonal, a singular and a zero matrix', () => {
    expect(conditionNumber([0, 0])).toBe(1);
    expect(conditionNumber([0, -Infinity])).toBe(Infinity);
    expect(conditionNumber([-Infinity, -Infinity])).toBeNaN();
  });

  it('does not mind values that no float holds', () => {
    expect(conditionNumber([-7000, -7001])).toBeCloseTo(Math.E, 12);
  });
});

describe('D23 ranks', () => {
  it('of one direction, of values that no float holds, of the zero matrix', () => {
    expect(effectiveRank([0, -Infinity])).toBe(1);
    expect(stableRank([0, -Infinity])).toBe(1);
    expect(effectiveRank([-5000, -5000])).toBeCloseTo(2, 12);
    expect(stableRank([5000, 5000])).toBe(2);
    expect(effectiveRank([0, 0, -744.4])).toBeCloseTo(2, 12);
    expect(effectiveRank([-Infinity])).toBeNaN();
    expect(stableRank([-Infinity])).toBeNaN();
  });
});

describe('D7 pascanuBound', () => {
  it.each([
    ['tanh', 1],
    ['sigmoid', 0.25],
    ['linear', 1],
    ['relu', 1],
    ['softsign', 1],
  ] as const)('gamma of %s is %d', (name, slope) => {
    expect(steepestSlope({ name })).toBeCloseTo(slope, 12);
  });

  it('finds a steepest slope inside the range', () => {
    // x sigmoid(x) is steepest where its second derivative is 0, at x = 2.399357...
    expect(steepestSlope({ name: 'silu' })).toBeCloseTo(1.0998393201, 9);
  });

  it('is null where there is no bound', () => {
    expect(pascanuBound(0.1, { name: 'exponential' })).toBeNull();
    expect(pascanuBound(0.1, { name: 'softmax' })).toBeNull();
  });
});

describe('D11 antisymmetric reading', () => {
  it('is the real part, not the modulus', () => {
    expect(largestRealPart([0, 5, -5, 0], 2)).toBeCloseTo(0, 12);
    expect(largestRealPart([-0.3, 5, -5, -0.3], 2)).toBeCloseTo(0.3, 12);
    expect(largestRealPart([NaN], 1)).toBeNaN();
  });

  it('an Euler step grows although the real part is 0', () => {
    expect(eulerGain(0.1, 5)).toBeCloseTo(Math.sqrt(1.25), 12);
  });
});

describe('D18 chronoRange', () => {
  it('spans the units and says whether the input biases mirror', () => {
    const forget = Float64Array.of(0, Math.log(99));
    const mirrored = chronoRange(
      forget,
      forget.map((b) => -b),
      { name: 'sigmoid' },
    );
    expect(mirrored.range[0]).toBeCloseTo(2, 12);
    expect(mirrored.range[1]).toBeCloseTo(100, 10);
    expect(mirrored.mirrorGap).toBe(0);
    expect(chronoRange(forget, new Float64Array(2), { name: 'sigmoid' }).mirrorGap).toBeCloseTo(Math.log(99), 12);
  });

  it('is without end for a gate that is always open', () => {
    expect(chronoRange(Float64Array.of(100), Float64Array.of(0), { name: 'hard_sigmoid' }).range[1]).toBe(Infinity);
  });
});
