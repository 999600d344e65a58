import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatConfidence,
  formatCount,
  formatDecade,
  formatFixed,
  formatFromLog,
  formatHorizon,
  formatNumber,
  formatSeconds,
  formatShare,
  formatSlope,
  formatSlopeInterval,
  formatSteps,
} from '../../src/charts/number-format';

describe('numbers as people read them', () => {
  it('writes the minus sign as U+2212 and never a negative zero', () => {
    expect(formatFixed(-0.042, 3)).toBe('\u22120.042');
    expect(formatFixed(-0.0001, 2)).toBe('0.00');
    expect(formatFixed(null, 2)).toBe('—');
    expect(formatFixed(Number.NaN, 2)).toBe('NaN');
    expect(formatFixed(-Infinity, 2)).toBe('−∞');
  });

  it.each([
    [0, '0'],
    [1, '1.00'],
    [-0.5, '−0.500'],
    [1234.5, '1235'],
    [0.001234, '0.00123'],
    [0.00012, '1.20e−4'],
    [-2.5e9, '−2.50e9'],
  ])('keeps three significant digits of %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it.each([
    [Math.log(8.61e-3), '8.61e−3'],
    [Math.log(0.5), '0.500'],
    [0, '1.00'],
    [Math.log(999.9), '1000'],
    [-300 * Math.LN10, '1.00e−300'],
    [-3000.5 * Math.LN10, '3.16e−3001'],
    [4000 * Math.LN10, '1.00e4000'],
    [-Infinity, '0 (exact)'],
    [Number.NaN, 'NaN'],
  ])('writes the quantity behind the log %s, beyond the range of floats too', (logarithm, text) => {
    expect(formatFromLog(logarithm)).toBe(text);
  });

  it('carries a mantissa that rounds up to ten into the exponent', () => {
    expect(formatFromLog(Math.log(9.9999e-7))).toBe('1.00e−6');
  });

  it('writes slopes with their interval', () => {
    expect(formatSlope(-0.0421)).toBe('−0.042');
    expect(formatSlope(0.00012)).toBe('1.2e−4');
    expect(formatSlope(-1.79353)).toBe('−1.79');
    expect(formatSlope(null)).toBe('—');
    expect(formatSlopeInterval(-0.042, [-0.045, -0.039])).toBe('−0.042 ± 0.003');
    expect(formatSlopeInterval(-0.04213, [-0.04218, -0.04208])).toBe('−0.04213 ± 0.00005');
    expect(formatSlopeInterval(null, null)).toBe('—');
  });

  it('writes steps, horizons and shares', () => {
    expect(formatSteps(16.503)).toBe('16.5');
    expect(formatSteps(212)).toBe('212');
    expect(formatSteps(null)).toBe('—');
    expect(formatHorizon(118, 160)).toBe('118');
    expect(formatHorizon(null, 160)).toBe('> 160');
    expect([0.58, 0.97, 0.9999, 1].map(formatConfidence)).toEqual(['58 %', '97 %', '> 99 %', '> 99 %']);
    expect([0, 0.001, 0.97, 0.9999, 1].map(formatShare)).toEqual(['0 %', '< 1 %', '97 %', '> 99 %', '100 %']);
  });

  it('writes decades, counts, bytes and durations', () => {
    expect([1, 0, -3, -120].map(formatDecade)).toEqual(['10¹', '10⁰', '10⁻³', '10⁻¹²⁰']);
    expect(formatCount(61568)).toBe('61\u202f568');
    expect([0, 999, 1_412_000, 38e6, 2.1e9].map(formatBytes)).toEqual(['0 B', '999 B', '1.4 MB', '38 MB', '2.1 GB']);
    expect([0.0001, 0.008, 0.41, 12.34, 125, 12_000].map(formatSeconds)).toEqual([
      '< 1 ms',
      '8 ms',
      '0.41 s',
      '12.3 s',
      '2 min 5 s',
      '3 h 20 min',
    ]);
  });
});
