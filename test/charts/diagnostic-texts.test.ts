import { describe, expect, it } from 'vitest';
import { DIAGNOSTIC_TEXTS, diagnosticRows } from '../../src/charts/diagnostic-texts';
import type { Diagnostics } from '../../src/core/summary';

const rowsOf = (diagnostics: object): string[] =>
  diagnosticRows(diagnostics as Diagnostics).map(({ title, of, value }) => `${title} | ${of} | ${value}`);

describe('diagnostics in words', () => {
  it('have a title each, none of which is a key', () => {
    for (const { title } of Object.values(DIAGNOSTIC_TEXTS)) expect(title).toMatch(/^[A-Z][a-zA-Z, -]*$/);
  });

  it('name gates, directions, lags and parts', () => {
    expect(
      rowsOf({
        spectralRadius: { i: 0.53261, f_backward: null },
        highwayShare: { 10: 0.641, full: 0.000112 },
        forgetTimescale: { median: 3.4, max: 212 },
        saturation: { z: { left: 0.5, right: 0.0228 } },
        receptiveField: { mean: 4.49, spread: null, lag95: 16 },
      }),
    ).toEqual([
      'Spectral radius | i, input gate | 0.5326',
      'Spectral radius | f, forget gate, backward | —',
      'Share of the cell highway | lag 10 | 64 %',
      'Share of the cell highway | the whole run | < 1 %',
      'Forget timescale, steps | median of the units | 3.4',
      'Forget timescale, steps | longest | 212',
      'Saturated gates | z, update gate | left 50 %, right 2 %',
      'Receptive field, lags | mean | 4.5',
      'Receptive field, lags | spread | —',
      'Receptive field, lags | 95 % lie within | 16.0',
    ]);
  });

  it('take single numbers and ranges too', () => {
    expect(rowsOf({ entropyRate: 0.25, chronoRange: [2, 400], kaplanYorkeDimension: null })).toEqual([
      'Entropy rate, nats per step |  | 0.2500',
      'Chrono range, steps | shortest | 2.0',
      'Chrono range, steps | longest | 400',
      'Kaplan-Yorke dimension |  | —',
    ]);
  });

  it('do not show a key that nobody has put into words', () => {
    expect(() => rowsOf({ surprise: 1 })).toThrow(/surprise has no text/);
  });
});
