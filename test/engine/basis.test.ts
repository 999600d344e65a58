import { beforeAll, describe, expect, it } from 'vitest';
import type { FinalChunk } from '../../src/core/jacobian';
import type { CellDescription, SimpleRnnCell } from '../../src/core/model';
import { makeTensor, type RealTensor } from '../../src/core/tensor';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell } from '../../src/engine/cells/run-cell';
import type { BasisReport } from '../../src/engine/engine';
import type { Ops } from '../../src/engine/ops';
import { propagateFinal } from '../../src/engine/propagate/final';
import { ALL_OPS, HAS_NATIVE, noise } from './all-ops';
import { makeCell, makeInput, relativeError, type Case } from './random-cells';

interface Block {
  readonly values: Float64Array;
  readonly logNorm: number;
}

/** Blocks of h and of c by source step, multiplied out as far as float64 goes. */
async function finalOf(
  ops: Ops,
  description: CellDescription,
  x: RealTensor,
  mask: Uint8Array | null,
  basis: BasisReport | undefined,
): Promise<Map<string, Block>> {
  const { signal } = new AbortController();
  const cell = openCell(ops, description);
  const found = new Map<string, Block>();
  try {
    const run = await runCell(ops, cell, x, { direction: 'forward', mask, initial: null, signal });
    for await (const chunk of propagateFinal(ops, cell, run, {
      signal,
      chunkBytes: 2 ** 22,
      ...(basis && { basis }),
    })) {
      keep(found, chunk, run.batch, run.inputDim);
    }
  } finally {
    cell.dispose();
  }
  return found;
}

function keep(found: Map<string, Block>, chunk: FinalChunk, batch: number, inputDim: number): void {
  const lay = (state: string, data: Float32Array | Float64Array, scale: Int32Array, norms: Float64Array): void => {
    const block = data.length / (batch * chunk.count);
    expect(block % inputDim).toBe(0);
    for (let row = 0; row < batch * chunk.count; row++) {
      const part = Float64Array.from(data.subarray(row * block, (row + 1) * block), (v) => v * 2 ** scale[row]!);
      const step = chunk.start + (row % chunk.count);
      const key = `${state} ${String(Math.floor(row / chunk.count))} ${String(step)}`;
      found.set(key, { values: part, logNorm: norms[row]! });
    }
  };
  lay('h', chunk.dhTdx, chunk.scaleH, chunk.lognormH);
  if (chunk.dcTdx) lay('c', chunk.dcTdx, chunk.scaleC!, chunk.lognormC!);
}

const wide = { units: 96, inputDim: 5, batch: 1, steps: 300 } as const;
const MODELS: readonly (readonly [what: string, wanted: Case])[] = [
  ['contracting LSTM', { kind: 'LSTM', ...wide, gain: 0.7 }],
  ['LSTM that remembers', { kind: 'LSTM', ...wide, gain: 0.6, biasShift: 2 }],
  ['chaotic network', { kind: 'SimpleRNN', ...wide, units: 160, gain: 1.6, steps: 150 }],
  ['GRU', { kind: 'GRU', ...wide, units: 160 }],
  ['masked LSTM of two sequences', { kind: 'LSTM', ...wide, masked: 0.2, batch: 2, steps: 200 }],
  ['LSTM with a projection', { kind: 'LSTM', ...wide, units: 110, projected: 70 }],
];

describe.runIf(HAS_NATIVE)('rows in a basis of the rank that they have', () => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await ALL_OPS[0]![1]();
  });

  it.each(MODELS)('give the blocks of a %s', async (_, wanted) => {
    const description = makeCell(wanted);
    const { x, mask } = makeInput(wanted);
    const before = ops.tensorCount();
    const report = { probeError: null as number | null, redone: 0 };
    const given = await finalOf(ops, description, x, mask, report);
    expect(ops.tensorCount()).toBe(before);
    const expected = await finalOf(ops, description, x, mask, undefined);
    expect(report.probeError).toBeGreaterThan(0);
    expect(given.size).toBe(expected.size);
    for (const [key, { values, logNorm }] of expected) {
      const own = given.get(key)!;
      if (logNorm === -Infinity) expect(own.logNorm, key).toBe(-Infinity);
      else expect(Math.abs(own.logNorm - logNorm), key).toBeLessThan(1e-3);
      if (logNorm > -600) expect(relativeError(own.values, values), key).toBeLessThan(1e-4);
    }
  });

  it('are computed anew where a fast half hides a slow half at first', async () => {
    const steps = 200;
    const description = hidingCell(200, 60);
    // The first feature lets the fast half live in the last 60 steps alone.
    const x = makeTensor(
      [1, steps, 3],
      noise(steps * 3, 3).map((value, at) => {
        if (at % 3 > 0) return Math.abs(value);
        return at < (steps - 60) * 3 ? -1e6 : 1;
      }),
    );
    const report = { probeError: null as number | null, redone: 0 };
    const given = await finalOf(ops, description, x, null, report);
    const expected = await finalOf(ops, description, x, null, undefined);
    expect(report.redone).toBe(1);
    for (const [key, { logNorm }] of expected) {
      expect(Math.abs(given.get(key)!.logNorm - logNorm), key).toBeLessThan(1e-3);
    }
  });
});

/** A relu network of two halves that do not meet: one that grows while its input is positive, and a slow one. */
function hidingCell(units: number, fast: number): SimpleRnnCell {
  const kernel = new Float32Array(3 * units);
  const recurrent = new Float32Array(units * units);
  const weights = noise(2 * units, 5).map(Math.abs);
  for (let u = 0; u < units; u++) {
    kernel[u] = Number(u < fast);
    if (u >= fast) kernel.set([weights[u]!], units + u);
    if (u >= fast) kernel.set([weights[units + u]!], 2 * units + u);
    recurrent[u * units + u] = u < fast ? 1.6 : 0.99;
  }
  const common = { units, inputDim: 3, kernel: makeTensor([3, units], kernel), bias: null, clip: null } as const;
  const recurrentKernel = makeTensor([units, units], recurrent);
  return { kind: 'SimpleRNN', ...common, recurrentKernel, activation: { name: 'relu' } };
}
