/** The forward pass in spans: short enough to be cancelled between two, and the same numbers as in one go. */
import { beforeAll, describe, expect, it } from 'vitest';
import { forwardSpan } from '../../src/engine/cells/forward-span';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell } from '../../src/engine/cells/run-cell';
import type { Ops } from '../../src/engine/ops';
import { ALL_OPS } from './all-ops';
import { makeCell, makeInput, type Case } from './random-cells';

const never = new AbortController().signal;

describe('forwardSpan', () => {
  it('is shorter for wider cells, more sequences and steps that run one by one, and never empty', () => {
    const shape = { kind: 'LSTM', units: 64, inputDim: 16, isFused: true } as const;
    const span = forwardSpan(shape, 'tensorflow', 1);
    expect(span).toBeGreaterThan(500);
    expect(forwardSpan({ ...shape, units: 512 }, 'tensorflow', 1)).toBeLessThan(span / 10);
    expect(forwardSpan(shape, 'tensorflow', 64)).toBeLessThan(span);
    expect(forwardSpan({ ...shape, isFused: false }, 'tensorflow', 1)).toBeLessThan(span / 2);
    expect(forwardSpan({ ...shape, units: 8192 }, 'wasm', 1000)).toBe(1);
  });
});

describe.each(ALL_OPS)('a forward pass on %s', (_, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });

  const cases: readonly Case[] = [
    { kind: 'LSTM', units: 96, inputDim: 4, batch: 1, steps: 2500 },
    { kind: 'LSTM', units: 96, inputDim: 4, batch: 3, steps: 400, activation: { name: 'softsign' } },
    { kind: 'SimpleRNN', units: 20, inputDim: 4, batch: 2, steps: 1000 },
    { kind: 'GRU', units: 20, inputDim: 4, batch: 2, steps: 1000, masked: 0.2, direction: 'backward' },
  ];
  it.each(cases)('of $kind over several spans starts each where the last one ended', async (wanted) => {
    const cell = openCell(ops, makeCell(wanted));
    const { x, mask } = makeInput(wanted);
    const { batch, steps, units, inputDim, direction = 'forward' } = wanted;
    try {
      expect(forwardSpan(cell, ops.engine, batch)).toBeLessThan(steps);
      const run = await runCell(ops, cell, x, { direction, mask, initial: null, signal: never });
      // The same in one call, a sequence at a time, masked steps left out.
      for (let b = 0; b < batch; b++) {
        const order = Array.from({ length: steps }, (_step, n) => (direction === 'forward' ? n : steps - 1 - n));
        const valid = order.filter((t) => mask === null || mask[b * steps + t] !== 0);
        const rows = Float32Array.from(
          valid.flatMap((t) => [...x.data.slice((b * steps + t) * inputDim).slice(0, inputDim)]),
        );
        const whole = ops.tidy(() => {
          const zeros = (): ReturnType<Ops['upload']> => ops.upload(new Float32Array(units), [1, units]);
          const state = { h: zeros(), c: wanted.kind === 'LSTM' ? zeros() : null };
          return Float64Array.from(ops.read(cell.forward(ops.upload(rows, [valid.length, 1, inputDim]), state).h));
        });
        let worst = 0;
        valid.forEach((t, n) => {
          for (let u = 0; u < units; u++) {
            worst = Math.max(worst, Math.abs(whole[n * units + u]! - run.h[(b * steps + t) * units + u]!));
          }
        });
        // Sequences that go through one product together are rounded apart; a single one is the same to the bit.
        expect(worst).toBeLessThanOrEqual(batch === 1 ? 0 : 1e-4);
      }
    } finally {
      cell.dispose();
    }
  });
});
