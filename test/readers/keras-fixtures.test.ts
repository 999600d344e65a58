import { describe, expect, it } from 'vitest';
import { cellsOf, isRecurrent, type CellDescription } from '../../src/core/model';
import type { Direction } from '../../src/core/jacobian';
import { makeReferenceCell } from '../../src/core/reference/reference-cell';
import { runCell } from '../../src/core/reference/run-cell';
import { describeModel } from '../../src/readers/describe-model';
import { kerasFixtureNames, loadKerasFixture, readFixtureModel, type KerasFixture } from '../support/keras-fixtures';

/** Expected states are float64 from the file's own weights, so that only the order of sums differs. */
const TOLERANCE = 1e-9;

/** Largest difference of h (and c) of one direction to the framework's, over all sequences. */
function largestDifference(
  cell: CellDescription,
  direction: Direction,
  offset: number,
  { expected }: KerasFixture,
): number {
  const x = expected.get('x')!;
  const [batch, steps] = x.shape as [number, number, number];
  const { units } = cell;
  const rows = (name: string, from: number, count: number): Float64Array | null => {
    const tensor = expected.get(name);
    return tensor ? Float64Array.from(tensor.data.subarray(from, from + count)) : null;
  };
  const width = expected.get('h')!.shape[2]!;
  const reference = makeReferenceCell(cell);
  let largest = 0;
  for (let b = 0; b < batch; b++) {
    const mask = rows('mask', b * steps, steps);
    const run = runCell(reference, rows('x', b * steps * cell.inputDim, steps * cell.inputDim)!, {
      direction,
      mask: mask && Uint8Array.from(mask),
      initial: {
        h: rows('h0', b * width + offset, units) ?? new Float64Array(units),
        c: cell.kind === 'LSTM' ? (rows('c0', b * width + offset, units) ?? new Float64Array(units)) : null,
      },
    });
    for (const [name, states] of [
      ['h', run.h],
      ['c', run.c],
    ] as const) {
      const wanted = expected.get(name);
      if (!wanted || !states) continue;
      // Where only the forward cell has a cell state, c holds its units alone.
      const columns = wanted.shape[2]!;
      const start = columns === units ? 0 : offset;
      for (let t = 0; t < steps; t++) {
        for (let u = 0; u < units; u++) {
          const value = wanted.data[(b * steps + t) * columns + start + u]!;
          const difference = Math.abs(value - states[t * units + u]!) / Math.max(1, Math.abs(value));
          largest = Number.isNaN(difference) ? Infinity : Math.max(largest, difference);
        }
      }
    }
  }
  return largest;
}

describe('models as Keras saved them', () => {
  const names = kerasFixtureNames();

  it('are there', () => {
    expect(names.length).toBeGreaterThan(100);
  });

  it.each(names)('%s', async (name) => {
    const fixture = loadKerasFixture(name);
    const model = structuredClone(await readFixtureModel(fixture));
    const description = describeModel(model);
    expect(description.format).toBe(fixture.format);
    const listed = description.layers.find(({ name }) => name === fixture.layer);
    expect(listed).toMatchObject({
      kind: fixture.kind,
      units: fixture.units,
      inputDim: fixture.inputDim,
      direction: fixture.direction,
      supported: true,
      reason: null,
    });
    expect(new Set(description.layers.map(({ name }) => name)).size).toBe(description.layers.length);
    if (fixture.options['at-layer'] !== true) expect(listed?.blockedBy).toBeNull();

    const layer = model.layers.find(({ name }) => name === fixture.layer)!;
    if (!isRecurrent(layer)) throw new Error('the layer is recurrent');
    expect(layer.origin.sourceGateOrder.length).toBe({ SimpleRNN: 0, GRU: 3, LSTM: 4 }[fixture.kind]);
    let offset = 0;
    for (const { direction, cell } of cellsOf(layer.operation)) {
      expect(largestDifference(cell, direction, offset, fixture)).toBeLessThan(TOLERANCE);
      offset += cell.units;
    }
  });
});
