import { describe, expect, it } from 'vitest';
import { spectrumText } from '../../src/cli/spectrum-text';
import type { SpectrumSummary, Summary } from '../../src/core/summary';

const spectrum: SpectrumSummary = {
  direction: 'forward',
  stateSize: 8,
  lyapunov: [0.1, -0.05, null, -1, -2, -3.14159],
  lyapunovStd: [0, 0.01, null, 0, 0, 0],
  unresolved: 2,
  logSingularRange: [-4.5, -80],
  eigenvalues: {
    steps: [0.5, null, 1.25].map((spectralRadius, step) => ({
      ...{ step, spectralRadius, isLargest: step === 2, norm: 2, unstable: 0, leading: [] },
    })),
    kernel: null,
  },
  fixedPoints: {
    starts: 16,
    lost: 1,
    points: [
      { spectralRadius: 0.5, unstable: 0, visits: 10, residual: 1e-14 },
      { spectralRadius: 2, unstable: 1, visits: 5, residual: 1e-14 },
    ],
  },
};

const textOf = (...spectra: SpectrumSummary[]): readonly string[] => spectrumText({ spectra } as unknown as Summary);

describe('spectrumText', () => {
  it('names the leading exponents with their spread, what is not resolved, and fixed points', () => {
    expect(textOf(spectrum)).toEqual([
      'spectrum: Lyapunov exponents 0.100, −0.0500 ± 0.010, —, −1.00, … −3.14 nats/step (6 of 8); 2 not resolved; log singular values of ds_T/ds_0 −4.50 to −80.0; spectral radius of A_t 0.500 to 1.25; fixed points 2, 1 stable',
    ]);
  });

  it('has a line for each direction, and none without the mode', () => {
    const plain = {
      ...spectrum,
      unresolved: 0,
      logSingularRange: [null, null] as const,
      fixedPoints: null,
      eigenvalues: null,
      lyapunov: [0.1],
      lyapunovStd: [0],
    };
    expect(textOf(plain, { ...plain, direction: 'backward' })).toEqual([
      'spectrum forward: Lyapunov exponents 0.100 nats/step (1 of 8)',
      'spectrum backward: Lyapunov exponents 0.100 nats/step (1 of 8)',
    ]);
    expect(spectrumText({} as Summary)).toEqual([]);
  });
});
