import { describe, expect, it } from 'vitest';
import type { DiagonalChunk } from '../../src/core/jacobian';
import { JacobianKeeper, SliceCollector, type RunShape } from '../../src/main/jacobian-keeper';

/** The halves of a Bidirectional layer may differ in size. */
const UNITS = { forward: 4, backward: 3 } as const;
const DIRECTIONS = ['forward', 'backward'] as const;

const SHAPE: RunShape = {
  batch: 2,
  steps: 5,
  inputDim: 2,
  parts: DIRECTIONS.map((direction) => ({
    direction,
    kind: 'LSTM',
    units: UNITS[direction],
    hiddenSize: UNITS[direction],
    hasCell: true,
  })),
};

/** The entry that stands for (state, direction, b, t, u, d), so that a wrong index cannot hide. */
function entry(state: 'h' | 'c', direction: string, b: number, t: number, u: number, d: number): number {
  return (state === 'h' ? 1 : -1) * (direction === 'forward' ? 1 : 0.5) * (1 + d + 10 * u + 100 * t + 1000 * b);
}

function chunk(direction: 'forward' | 'backward', start: number, count: number): DiagonalChunk {
  const { batch, inputDim } = SHAPE;
  const units = UNITS[direction];
  const make = (state: 'h' | 'c'): Float32Array => {
    const values: number[] = [];
    for (let b = 0; b < batch; b++)
      for (let t = start; t < start + count; t++)
        for (let u = 0; u < units; u++)
          for (let d = 0; d < inputDim; d++) values.push(entry(state, direction, b, t, u, d));
    return Float32Array.from(values);
  };
  return { mode: 'diagonal', direction, start, count, dhdx: make('h'), dcdx: make('c') };
}

const CHUNKS = DIRECTIONS.flatMap((direction) => [chunk(direction, 0, 2), chunk(direction, 2, 3)]);

describe('JacobianKeeper', () => {
  it('gives a unit against features, for every state, direction and sequence', () => {
    const keeper = new JacobianKeeper(1, SHAPE);
    for (const one of CHUNKS) keeper.add(one);
    for (const state of ['h', 'c'] as const)
      for (const direction of DIRECTIONS)
        for (let sequence = 0; sequence < 2; sequence++) {
          const { rows, columns, data } = keeper.slice({
            runId: 1,
            state,
            direction,
            sequence,
            axis: 'unit',
            index: 2,
          });
          expect([rows, columns]).toEqual([2, 5]);
          const expected = [0, 1].flatMap((d) =>
            [0, 1, 2, 3, 4].map((t) => entry(state, direction, sequence, t, 2, d)),
          );
          expect([...data]).toEqual(expected);
        }
  });

  it('gives a feature against units', () => {
    const keeper = new JacobianKeeper(1, SHAPE);
    for (const one of CHUNKS) keeper.add(one);
    const slice = keeper.slice({ runId: 1, state: 'h', direction: 'backward', sequence: 1, axis: 'feature', index: 1 });
    expect([slice.rows, slice.columns, slice.direction]).toEqual([3, 5, 'backward']);
    const expected = [0, 1, 2].flatMap((u) => [0, 1, 2, 3, 4].map((t) => entry('h', 'backward', 1, t, u, 1)));
    expect([...slice.data]).toEqual(expected);
  });

  it('keeps copies: the engine uses its arrays again', () => {
    const keeper = new JacobianKeeper(1, SHAPE);
    const one = chunk('forward', 0, 5);
    keeper.add(one);
    one.dhdx.fill(0);
    const { data } = keeper.slice({ runId: 1, state: 'h', direction: 'forward', sequence: 0, axis: 'unit', index: 0 });
    expect(data[0]).toBe(1);
  });

  it('marks steps that were never computed, and cells that are not there', () => {
    const keeper = new JacobianKeeper(1, { ...SHAPE, parts: SHAPE.parts.map((part) => ({ ...part, hasCell: false })) });
    keeper.add({ ...chunk('forward', 3, 2), dcdx: null });
    const { data } = keeper.slice({ runId: 1, state: 'h', direction: 'forward', sequence: 0, axis: 'unit', index: 0 });
    expect([...data].map(Number.isNaN)).toEqual([true, true, true, false, false, true, true, true, false, false]);
    const cell = keeper.slice({ runId: 1, state: 'c', direction: 'forward', sequence: 0, axis: 'unit', index: 0 });
    expect([...cell.data].every(Number.isNaN)).toBe(true);
  });

  it('keeps nothing of a run that is too large, which a collector then passes through', () => {
    const keeper = new JacobianKeeper(1, {
      ...SHAPE,
      steps: 100_000,
      parts: SHAPE.parts.map((part) => ({ ...part, units: 1024 })),
    });
    expect(keeper.isWhole).toBe(false);
    const input = { runId: 1, state: 'h', direction: 'forward', sequence: 1, axis: 'unit', index: 1 } as const;
    const collector = new SliceCollector(SHAPE, input);
    for (const one of CHUNKS) collector.add(one);
    const whole = new JacobianKeeper(1, SHAPE);
    for (const one of CHUNKS) whole.add(one);
    expect(collector.slice).toEqual(whole.slice(input));
  });
});
