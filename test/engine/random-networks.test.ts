/**
 * Random tanh networks h = tanh(W h), W ~ N(0, g^2/N): chaos beyond g = 1, with exponents known from large networks.
 *
 * With TEMPOGRAD_LARGE=1 at N = 1000, 1500 steps, the mean of ten seeds against .0622, .1539, .3071 within .01 (a
 * minute); else at N = 200, whose mean of four seeds lies lower by about .01, within .03.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimpleRnnCell } from '../../src/core/model';
import { makeRandom } from '../../src/core/random';
import { makeTensor } from '../../src/core/tensor';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell } from '../../src/engine/cells/run-cell';
import type { SpectrumResult } from '../../src/engine/engine';
import type { Ops } from '../../src/engine/ops';
import { propagateSpectrum } from '../../src/engine/propagate/spectrum';
import { ALL_OPS } from './all-ops';

const signal = new AbortController().signal;

const SIZE =
  process.env['TEMPOGRAD_LARGE'] === '1'
    ? { units: 1000, steps: 1500, seeds: 10, tolerance: 0.01 }
    : { units: 200, steps: 500, seeds: 4, tolerance: 0.03 };

async function spectrumOf(
  ops: Ops,
  units: number,
  gain: number,
  steps: number,
  seeds: number,
): Promise<SpectrumResult[]> {
  const results: SpectrumResult[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const random = makeRandom(100 * seed + units);
    const normals = (size: number, scale: number): Float32Array =>
      Float32Array.from({ length: size }, () => scale * random.nextNormal());
    const description: SimpleRnnCell = {
      kind: 'SimpleRNN',
      units,
      inputDim: 1,
      kernel: makeTensor([1, units], new Float32Array(units)),
      recurrentKernel: makeTensor([units, units], normals(units * units, gain / Math.sqrt(units))),
      bias: null,
      activation: { name: 'tanh' },
      clip: null,
    };
    const cell = openCell(ops, description);
    const x = makeTensor([1, steps, 1], new Float32Array(steps));
    const initial = { h0: makeTensor([1, units], normals(units, 1)), c0: null };
    const run = await runCell(ops, cell, x, { direction: 'forward', mask: null, initial, signal });
    results.push(await propagateSpectrum(ops, cell, run, { exponents: 1, warmUp: Math.floor(steps / 5), signal }));
    cell.dispose();
  }
  return results;
}

const mean = (results: readonly SpectrumResult[]): number =>
  results.reduce((sum, { lyapunov }) => sum + lyapunov[0], 0) / results.length;

describe.each(ALL_OPS.slice(0, 1))('random tanh networks on %s', (_name, make) => {
  let ops: Ops;

  beforeAll(async () => {
    ops = await make();
  });

  afterAll(() => ops.close());

  it.each([
    [1.5, 0.0622],
    [2, 0.1539],
    [3, 0.3071],
  ])(
    'g = %d is chaotic with about the exponent of a large network',
    async (gain, expected) => {
      const found = mean(await spectrumOf(ops, SIZE.units, gain, SIZE.steps, SIZE.seeds));
      expect(found).toBeGreaterThan(0);
      expect(Math.abs(found - expected)).toBeLessThan(SIZE.tolerance);
    },
    120_000,
  );

  it('g = .9 is not: the exponent tends to ln of the spectral radius, below 0', async () => {
    for (const { lyapunov } of await spectrumOf(ops, 200, 0.9, 500, 3)) {
      expect(lyapunov[0]).toBeLessThan(-0.01);
      expect(lyapunov[0]).toBeGreaterThan(-0.25);
    }
  });
});
