import { describe, expect, it } from 'vitest';
import { combineSequences } from '../../../src/core/diagnostics/estimate';
import { disagreementWarning, layerVerdict } from '../../../src/core/diagnostics/joint-verdict';
import { fitLine } from '../../../src/core/diagnostics/line-fit';
import { meanRelativeSeries, stateVerdict, type VerdictOptions } from '../../../src/core/diagnostics/verdict';
import { formatFactor } from '../../../src/core/diagnostics/verdict-sentence';
import type { StateVerdict } from '../../../src/core/summary';
import { normals } from '../random-cell';

const DEFAULTS: VerdictOptions = { state: 'h', warmUp: null, span: null, lyapunovMax: null };

function series(steps: number, value: (k: number) => number): Float64Array {
  return Float64Array.from({ length: steps }, (_, k) => value(k));
}

function judge(sequences: Float64Array[], options: Partial<VerdictOptions> = {}): StateVerdict {
  return stateVerdict(sequences, { ...DEFAULTS, ...options });
}

describe('stateVerdict: the table of method.md 3.1', () => {
  it('w = .9, T = 50: vanishing by extrapolation', () => {
    const verdict = judge([series(50, (k) => k * Math.log(0.9))]);
    expect(verdict).toMatchObject({ verdict: 'vanishing', horizon: null, confidence: 1 });
    expect(verdict.halfLife).toBeCloseTo(6.5788, 4);
    expect(verdict.why).toBe(
      'Over 100 steps (by extrapolation from 50) the norm of dh_T/dx falls, by its fitted line, to 10^-4.6 of its ' +
        'size at lag 0 (measured at lag 49: 0.00573), ' +
        'halving every 6.58 steps after the first lags: it vanishes, for less than 1/1000 is left.',
    );
    expect(judge([series(100, (k) => k * Math.log(0.9))]).horizon).toBe(66);
  });

  it('w = 1, T = 50: carried', () => {
    const verdict = judge([series(50, () => 0.3)], { state: 'c' });
    expect(verdict).toMatchObject({ verdict: 'carried', halfLife: null, timeConstant: null, horizon: null });
    expect(verdict.slope).toBeCloseTo(0, 12);
    expect(verdict.why).toBe(
      'Over 100 steps (by extrapolation from 50) the norm of dc_T/dx keeps, by its fitted line, its size at lag 0 (measured at lag 49: 1): ' +
        'it is carried, within a factor of 1000 either way.',
    );
  });

  it('w = 1.1, T = 100: exploding', () => {
    const verdict = judge([series(100, (k) => k * Math.log(1.1))]);
    expect(verdict.verdict).toBe('exploding');
    expect(verdict.why).toContain(
      'Over 100 steps the norm of dh_T/dx grows, by its fitted line, to 10^4.1 times its size at lag 0 (measured at lag 99: 10^4.1), doubling',
    );
    expect(verdict.why).not.toContain('extrapolation');
  });

  it('T = 8: undetermined', () => {
    expect(judge([series(8, (k) => -k)])).toMatchObject({
      verdict: 'undetermined',
      confidence: null,
      why: '8 steps are too few for a verdict on dh_T/dx: it needs at least 10.',
    });
    const masked = judge([series(8, (k) => -k)], { runSteps: 40 });
    expect(masked.why).toBe('8 unmasked steps of 40 are too few for a verdict on dh_T/dx: it needs at least 10.');
    expect(judge([series(1, () => 0)], { runSteps: 9 }).why).toMatch(/^1 unmasked step of 9 is too few/);
    expect(judge([series(1, () => 0)]).why).toBe('1 step is too few for a verdict on dh_T/dx: it needs at least 10.');
  });
});

describe('stateVerdict: definitions', () => {
  it('counts the early drop: flat behind a fall of 8 nats vanishes', () => {
    expect(judge([series(200, (k) => (k === 0 ? 0 : -8))]).verdict).toBe('vanishing');
    expect(judge([series(200, (k) => (k === 0 ? 0 : -6))]).verdict).toBe('carried');
  });

  it('leaves the first tenth out of the fit, or --warm-up lags', () => {
    const bent = series(200, (k) => (k < 20 ? -k : -20 - 0.01 * (k - 20)));
    expect(judge([bent]).slope).toBeCloseTo(-0.01, 10);
    expect(judge([bent], { warmUp: 0 }).slope).toBeLessThan(-0.02);
    expect(judge([bent], { warmUp: 198 })).toMatchObject({ verdict: 'undetermined', slope: null });
    expect(judge([bent], { warmUp: 198 }).why).toContain('Only 2 norms of dh_T/dx');
  });

  it('asks for the memory of --span', () => {
    const slow = series(100, (k) => -0.05 * k);
    expect(judge([slow]).verdict).toBe('carried');
    expect(judge([slow], { span: 200 })).toMatchObject({ verdict: 'vanishing' });
    expect(judge([slow], { span: 200 }).why).toContain('Over 200 steps (by extrapolation from 100)');
    expect(judge([slow], { span: 50 }).why).toMatch(/^Over 50 steps the/);
  });

  it('is undetermined when the interval crosses a limit, and says which readings are open', () => {
    const noise = normals(100, 4, 3);
    noise[0] = 0;
    const verdict = judge([series(100, (k) => -0.069 * k + noise[k])]);
    expect(verdict.verdict).toBe('undetermined');
    expect(verdict.confidence).toBeGreaterThan(0.5);
    expect(verdict.confidence).toBeLessThan(0.99);
    expect(verdict.why).toContain('leaves open whether it vanishes or is carried');
    const up = judge([series(100, (k) => 0.069 * k + noise[k])]);
    expect(up.why).toContain('leaves open whether it is carried or explodes');
    const wild = judge([series(100, (k) => 0.2 * k), series(100, (k) => -0.2 * k)]);
    expect(wild.why).toContain('leaves open whether it vanishes, is carried or explodes');
  });

  it('uses the spread between sequences: two that differ say less than two alike', () => {
    const alike = judge([series(100, (k) => -0.1 * k), series(100, (k) => -0.1 * k)]);
    const apart = judge([series(100, (k) => -0.18 * k), series(100, (k) => -0.02 * k)]);
    expect(alike.verdict).toBe('vanishing');
    expect(apart.verdict).toBe('undetermined');
    expect(apart.slope).toBeCloseTo(-0.1, 10);
    // Sample variance of (-.18, -.02) is .0128, over B = 2 gives a standard error of .08.
    expect(apart.slopeInterval?.[0]).toBeCloseTo(-0.1 - 1.96 * 0.08, 6);
  });

  it('gives the half-life and time constant only where the slope is certain', () => {
    const noise = normals(60, 8, 1);
    const verdict = judge([series(60, (k) => 0.0001 * k + noise[k])]);
    expect(verdict.slopeInterval?.[0]).toBeLessThan(0);
    expect(verdict.slopeInterval?.[1]).toBeGreaterThan(0);
    expect(verdict).toMatchObject({ halfLife: null, timeConstant: null });
  });

  it('does not take rounding for a slope', () => {
    const verdict = judge([series(100, (k) => (k % 7) * 1e-16 + k * 1e-15)]);
    expect(verdict.halfLife).toBeNull();
  });

  it('passes the exponent through, null where it is infinite', () => {
    expect(judge([series(50, () => 0)], { lyapunovMax: -0.2 }).lyapunovMax).toBe(-0.2);
    expect(judge([series(50, () => 0)], { lyapunovMax: -Infinity }).lyapunovMax).toBeNull();
  });
});

describe('stateVerdict: zeros and numbers that are not finite', () => {
  it('exact zeros from a lag on vanish, that lag is the horizon', () => {
    const verdict = judge([series(50, (k) => (k >= 21 ? -Infinity : 0))]);
    expect(verdict).toMatchObject({ verdict: 'vanishing', horizon: 21, confidence: 1 });
    expect(verdict.why).toBe('dh_T/dx is exactly zero from lag 21 on: nothing older reaches the last state.');
    expect(judge([new Float64Array(50).fill(-Infinity)])).toMatchObject({
      verdict: 'vanishing',
      horizon: 0,
      slope: null,
    });
  });

  it('ignores zeros that begin behind the span', () => {
    const late = series(200, (k) => (k >= 150 ? -Infinity : 0));
    expect(judge([late], { span: 100 }).verdict).toBe('carried');
    expect(judge([late]).verdict).toBe('vanishing');
  });

  it('leaves single zeros out of the fit', () => {
    const verdict = judge([series(100, (k) => (k % 9 === 4 ? -Infinity : -0.1 * k))]);
    expect(verdict.verdict).toBe('vanishing');
    expect(verdict.slope).toBeCloseTo(-0.1, 10);
  });

  it('is undetermined when some sequences end in zeros and the others are carried', () => {
    const zero = series(100, (k) => (k >= 30 ? -Infinity : 0));
    const flat = series(100, () => 0);
    const mixed = judge([zero, flat, flat]);
    expect(mixed.verdict).toBe('undetermined');
    expect(mixed.confidence).toBeCloseTo(2 / 3, 12);
    expect(mixed.why).toContain('exactly zero from lag 30 on in 1 of 3 sequences; in the others over 100 steps');
    expect(judge([zero, series(100, (k) => -0.2 * k)])).toMatchObject({ verdict: 'vanishing' });
  });

  it('is undetermined with NaN, infinity, or a zero at lag 0', () => {
    const nan = judge([series(50, (k) => (k === 30 ? NaN : 0)), series(50, () => 0)]);
    expect(nan).toMatchObject({ verdict: 'undetermined', confidence: null, horizon: null, meanLag: null });
    expect(nan.why).toContain('not finite from lag 30 on');
    expect(judge([series(50, (k) => (k === 3 ? Infinity : 0))]).verdict).toBe('undetermined');
    const noStart = judge([series(50, (k) => (k === 0 ? -Infinity : 0))]);
    expect(noStart.verdict).toBe('undetermined');
    expect(noStart.why).toContain('exactly zero at lag 0');
    expect(judge([])).toMatchObject({ verdict: 'undetermined', slope: null });
    expect(judge([new Float64Array(0)]).verdict).toBe('undetermined');
  });
});

describe('fitLine', () => {
  it('agrees with the textbook for white residuals and a bandwidth of its own for correlated ones', () => {
    const noise = normals(400, 11, 0.5);
    const fit = fitLine(
      series(400, (k) => 2 - 0.03 * k + noise[k]),
      0,
    );
    expect(fit?.slope).toBeCloseTo(-0.03, 3);
    const spread = (400 * (400 ** 2 - 1)) / 12;
    // White noise: Newey-West tends to sigma^2 / sum (k - mean)^2, here within its sampling error.
    expect(Math.sqrt((fit?.slopeVariance ?? 0) / (0.25 / spread))).toBeGreaterThan(0.8);
    expect(Math.sqrt((fit?.slopeVariance ?? 0) / (0.25 / spread))).toBeLessThan(1.2);
    const walk = series(400, () => 0);
    for (let k = 1; k < 400; k++) walk[k] = 0.9 * walk[k - 1] + noise[k];
    const correlated = fitLine(walk, 0);
    expect((correlated?.slopeVariance ?? 0) / (fit?.slopeVariance ?? 1)).toBeGreaterThan(10);
  });

  it('agrees with a direct evaluation of the sandwich', () => {
    const values = normals(30, 2);
    const fit = fitLine(values, 3);
    const lags = Array.from({ length: 27 }, (_, at) => at + 3);
    const n = lags.length;
    const bandwidth = Math.floor(4 * (n / 100) ** (2 / 9));
    const sums = [n, 0, 0];
    for (const k of lags) {
      sums[1] += k;
      sums[2] += k * k;
    }
    const determinant = sums[0] * sums[2] - sums[1] ** 2;
    const inverse = [sums[2], -sums[1], -sums[1], sums[0]].map((entry) => entry / determinant);
    const residual = (k: number): number => values[k] - (fit?.intercept ?? 0) - (fit?.slope ?? 0) * k;
    const s = [0, 0, 0, 0];
    for (const a of lags) {
      for (const b of lags) {
        const distance = Math.abs(a - b);
        if (distance > bandwidth) continue;
        const weight = (1 - distance / (bandwidth + 1)) * residual(a) * residual(b);
        [1, b, a, a * b].forEach((product, at) => (s[at] += weight * product));
      }
    }
    const left = [
      inverse[0] * s[0] + inverse[1] * s[2],
      inverse[0] * s[1] + inverse[1] * s[3],
      inverse[2] * s[0] + inverse[3] * s[2],
      inverse[2] * s[1] + inverse[3] * s[3],
    ];
    expect(fit?.interceptVariance).toBeCloseTo(left[0] * inverse[0] + left[1] * inverse[2], 10);
    expect(fit?.covariance).toBeCloseTo(left[0] * inverse[1] + left[1] * inverse[3], 10);
    expect(fit?.slopeVariance).toBeCloseTo(left[2] * inverse[1] + left[3] * inverse[3], 10);
  });

  it('needs two values', () => {
    expect(fitLine([1, NaN, -Infinity], 0)).toBeNull();
  });
});

describe('combineSequences', () => {
  it('adds the variance between sequences to their own', () => {
    expect(combineSequences([[3, 4]])).toEqual({ mean: 3, standardError: 2 });
    // Between 2 (sample), own 1: (2 + 1) / 2.
    const two: [number, number][] = [
      [1, 1],
      [3, 1],
    ];
    expect(combineSequences(two)).toEqual({ mean: 2, standardError: Math.sqrt(1.5) });
  });
});

describe('layerVerdict', () => {
  const of = (verdict: StateVerdict['verdict'], confidence: number, slope: number): StateVerdict => ({
    ...judge([series(50, () => 0)]),
    verdict,
    confidence,
    slope,
    why: `${verdict}.`,
  });
  const vanishing = of('vanishing', 1, -1);
  const carried = of('carried', 0.99, 0);
  const exploding = of('exploding', 0.98, 1);
  const undetermined = of('undetermined', 0.6, 0.2);

  it('is the only direction as it is', () => {
    expect(layerVerdict({ forward: vanishing })).toBe(vanishing);
    expect(layerVerdict({ backward: carried })).toBe(carried);
  });

  it.each([
    [vanishing, carried, 'vanishing', -1],
    [carried, vanishing, 'vanishing', -1],
    [exploding, vanishing, 'exploding', 1],
    [undetermined, vanishing, 'vanishing', -1],
    [carried, undetermined, 'undetermined', 0.2],
    [carried, carried, 'carried', 0],
  ])('takes the worse of two', (forward, backward, label, slope) => {
    const joint = layerVerdict({ forward, backward });
    expect(joint).toMatchObject({ verdict: label, slope, forward, backward });
    expect(joint.why).toContain(label === 'carried' ? 'Both directions alike' : `Forward ${forward.verdict}`);
  });
});

describe('disagreementWarning', () => {
  const decaying = judge([series(100, (k) => -0.1 * k)], { lyapunovMax: 0.05 });
  it('is given when the signs differ, and only then', () => {
    expect(disagreementWarning('h', decaying)).toMatchObject({ code: 'verdict/signs-disagree' });
    expect(disagreementWarning('h', decaying, 'backward')?.message).toContain('h, backward');
    expect(disagreementWarning('h', { ...decaying, lyapunovMax: -0.05 })).toBeNull();
    expect(disagreementWarning('h', { ...decaying, lyapunovMax: null })).toBeNull();
    expect(disagreementWarning('h', { ...decaying, slopeInterval: [-0.3, 0.1] })).toBeNull();
  });
});

describe('meanRelativeSeries', () => {
  it('is relative to lag 0 and counts zeros only where all are zero', () => {
    const mean = meanRelativeSeries([Float64Array.of(1, 0, -Infinity), Float64Array.of(3, 1, -Infinity)]);
    expect([...mean]).toEqual([0, -1.5, -Infinity]);
  });
});

describe('formatFactor', () => {
  it.each([
    [0, '1'],
    [Math.log(0.2), '0.2'],
    [Math.log(123.4), '123'],
    [-2000, '10^-868.6'],
    [Math.log(5000), '10^3.7'],
  ])('%d nats', (nats, text) => {
    expect(formatFactor(nats)).toBe(text);
  });
});
