import { beforeAll, describe, expect, it } from 'vitest';
import { STATE_BLOCKS } from '../../src/core/jacobian';
import type { LstmCell } from '../../src/core/model';
import { makeReferenceCell } from '../../src/core/reference/reference-cell';
import { runCell as runReference } from '../../src/core/reference/run-cell';
import { makeTensor } from '../../src/core/tensor';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell } from '../../src/engine/cells/run-cell';
import type { Ops } from '../../src/engine/ops';
import { propagatePairs } from '../../src/engine/propagate/pairs';
import { ReferenceRun } from '../../src/engine/reference-run';
import { ALL_OPS, noise } from './all-ops';
import { gatherPairs, largestGap, optionsFor, pairsByProducts } from './all-pairs';
import { makeCell, makeInput, trajectoryOf, type Case } from './random-cells';

const SOURCES = ['input', 'initial', 'state', 'hidden', 'cell'] as const;
const BLOCKED = { algorithm: 'blocked', segments: [4, 12], isAdaptive: false } as const;
const TOLERANCE: Readonly<Record<string, number>> = { tensorflow: 1e-3, wasm: 1e-3, float64: 1e-9 };
const base = { kind: 'LSTM', units: 5, inputDim: 3, batch: 2, steps: 26 } as const;
const CASES: readonly (readonly [what: string, wanted: Case])[] = [
  ['LSTM', base],
  ['masked LSTM with an initial state', { ...base, masked: 0.4, initial: true }],
  ['masked LSTM that runs backwards', { ...base, masked: 0.4, direction: 'backward' }],
  ['LSTM with peepholes and a projection', { ...base, peepholes: true, projected: 3, batch: 1 }],
  ['LSTM with softmax', { ...base, activation: { name: 'softmax' } }],
  ['LSTM that forgets', { ...base, gain: 0.01, biasShift: -6 }],
  ['LSTM of one unit, one feature, one step', { kind: 'LSTM', units: 1, inputDim: 1, batch: 1, steps: 1 }],
  ['LSTM whose every step is masked', { ...base, masked: 2 }],
];
const QUANTITIES = ['ds_ds', ...STATE_BLOCKS] as const;

describe.each(ALL_OPS)('blocks of the state on %s', (name, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });

  const ways = CASES.flatMap(([what, wanted]) => [
    [`${what}, pushed,`, wanted, null] as const,
    [`${what}, by segments,`, wanted, BLOCKED] as const,
  ]);
  it.each(ways)('of a %s are those of plain products', async (_, wanted, plan) => {
    const before = ops.tensorCount();
    const cell = openCell(ops, makeCell(wanted));
    const { x, mask, initial } = makeInput(wanted);
    const { signal } = new AbortController();
    const run = await runCell(ops, cell, x, { direction: wanted.direction ?? 'forward', mask, initial, signal });
    const given = await gatherPairs(
      propagatePairs(ops, cell, run, optionsFor(SOURCES), plan),
      wanted.batch,
      wanted.steps,
    );
    cell.dispose();
    expect(ops.tensorCount()).toBe(before);
    const reference = makeReferenceCell(makeCell(wanted));
    for (let b = 0; b < wanted.batch; b++) {
      const expected = pairsByProducts(reference, trajectoryOf(run, b));
      for (const quantity of QUANTITIES) {
        const gap = largestGap(given[quantity][b]!, expected[quantity]);
        expect(gap, `${quantity} of sequence ${String(b)}`).toBeLessThan(TOLERANCE[name]!);
      }
    }
  });

  it('of a constant error carousel: the cell keeps everything, h hands nothing on', async () => {
    const cell = openCell(ops, carousel());
    const { signal } = new AbortController();
    const x = makeTensor([1, 9, 2], noise(18, 4));
    const run = await runCell(ops, cell, x, { direction: 'forward', mask: null, initial: null, signal });
    const given = await gatherPairs(propagatePairs(ops, cell, run, optionsFor(['hidden', 'cell'])), 1, 9);
    cell.dispose();
    for (let t = 0; t < 9; t++) {
      for (let s = 0; s <= t; s++) {
        const at = t * 9 + s;
        // dc_t/dc_s is the identity; D21.
        expect(given.dc_dc[0]![at]).toBeCloseTo(0.5 * Math.log(3), 6);
        expect(given.dh_dh[0]![at]).toBe(t === s ? given.dc_dc[0]![0] : -Infinity);
        expect(given.dc_dh[0]![at]).toBe(-Infinity);
        if (t === s) expect(given.dh_dc[0]![at]).toBe(-Infinity);
        else expect(given.dh_dc[0]![at]).toBeGreaterThan(-5);
      }
    }
  });
});

describe('blocks of the state on the reference engine', () => {
  it.each(CASES)('of a %s are those of plain products', async (_, wanted) => {
    const { x, mask } = makeInput(wanted);
    const { batch, steps, inputDim, direction = 'forward' } = wanted;
    const cell = makeReferenceCell(makeCell(wanted));
    const trajectories = Array.from({ length: batch }, (__, b) => {
      const part = Float64Array.from(x.data.subarray(b * steps * inputDim, (b + 1) * steps * inputDim));
      return runReference(cell, part, { direction, mask: mask?.slice(b * steps, (b + 1) * steps) ?? null });
    });
    const run = new ReferenceRun([{ direction, cell, trajectories }]);
    const given = await gatherPairs(run.pairs(direction, optionsFor(SOURCES)), batch, steps);
    for (const [b, trajectory] of trajectories.entries()) {
      const expected = pairsByProducts(cell, trajectory);
      for (const quantity of QUANTITIES) {
        expect(largestGap(given[quantity][b]!, expected[quantity]), quantity).toBeLessThan(1e-9);
      }
    }
  });
});

/** No recurrent weights, and a forget gate that is open whatever comes. */
function carousel(): LstmCell {
  const units = 3;
  const kernel = noise(2 * 4 * units, 6);
  for (let d = 0; d < 2; d++) kernel.fill(0, d * 4 * units + units, d * 4 * units + 2 * units);
  const bias = new Float32Array(4 * units).fill(100, units, 2 * units);
  return {
    kind: 'LSTM',
    units,
    inputDim: 2,
    kernel: makeTensor([2, 4 * units], kernel),
    recurrentKernel: makeTensor([units, 4 * units], new Float32Array(4 * units * units)),
    bias: makeTensor([4 * units], bias),
    activation: { name: 'tanh' },
    recurrentActivation: { name: 'sigmoid' },
    outputActivation: { name: 'tanh' },
    peepholes: null,
    projection: null,
    inputForget: false,
    clip: null,
  };
}
