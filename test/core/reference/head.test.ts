/** A head's pullback against central differences, and its losses. */
import { describe, expect, it } from 'vitest';
import { lossAt, LOSS_NAMES } from '../../../src/core/diagnostics/loss';
import { pullHead, runHead, type HeadNode, type HeadOperation } from '../../../src/core/reference/head';
import { makeTensor } from '../../../src/core/tensor';
import { normals } from '../random-cell';

const tensor = (shape: number[], seed: number) =>
  makeTensor(
    shape,
    normals(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
  );
const apply = (operation: HeadOperation, input: number, isRms = false): HeadNode => ({
  kind: 'apply',
  operation,
  isRms,
  input,
});

/** Every operation, two leaves, and a node that is read twice. */
const NODES: readonly HeadNode[] = [
  { kind: 'leaf', width: 3 },
  { kind: 'leaf', width: 3 },
  { kind: 'join', how: 'concatenate', inputs: [0, 1] },
  apply({ kind: 'dense', kernel: tensor([6, 4], 1), bias: tensor([4], 2), activation: { name: 'softmax' } }, 2),
  apply({ kind: 'dense', kernel: tensor([6, 4], 3), bias: null, activation: { name: 'tanh' } }, 2),
  { kind: 'join', how: 'multiply', inputs: [3, 4] },
  { kind: 'join', how: 'subtract', inputs: [5, 4] },
  apply(
    {
      kind: 'layer-normalization',
      axes: [-1],
      epsilon: 1e-3,
      gamma: tensor([4], 4),
      beta: tensor([4], 5),
      rms: false,
    },
    6,
  ),
  apply({ kind: 'affine', axis: -1, scale: tensor([4], 6), offset: tensor([1], 7) }, 7),
  apply(
    { kind: 'layer-normalization', axes: [-1], epsilon: 1e-3, gamma: tensor([4], 8), beta: null, rms: true },
    8,
    true,
  ),
  apply({ kind: 'layer-normalization', axes: [-1], epsilon: 1e-3, gamma: null, beta: null, rms: true }, 9),
  apply({ kind: 'prelu', alpha: tensor([4], 9), sharedAxes: [] }, 10),
  { kind: 'join', how: 'average', inputs: [11, 3] },
  apply({ kind: 'activation', activation: { name: 'sigmoid' } }, 12),
  { kind: 'join', how: 'add', inputs: [13, 12] },
  apply({ kind: 'softmax', axis: -1 }, 14),
];

describe('pullHead', () => {
  it('is the derivative of runHead', () => {
    const leaves = [normals(3, 10), normals(3, 11)];
    const row = normals(4, 12);
    const pulled = pullHead(NODES, runHead(NODES, leaves), row);
    expect(pulled.length).toBe(2);
    const e = 1e-3;
    leaves.forEach((leaf, which) => {
      leaf.forEach((_, at) => {
        const value = (by: number): number => {
          const moved = leaves.map((other, index) =>
            other.map((entry, place) => (index === which && place === at ? entry + by : entry)),
          );
          return runHead(NODES, moved)
            .at(-1)!
            .reduce((sum, entry, o) => sum + entry * row[o], 0);
        };
        const difference = (value(-2 * e) - 8 * value(-e) + 8 * value(e) - value(2 * e)) / (12 * e);
        expect(Math.abs(pulled[which][at] - difference)).toBeLessThan(1e-9);
      });
    });
  });
});

describe('lossAt', () => {
  it.each(LOSS_NAMES)('%s: its gradient is its derivative', (name) => {
    const output = normals(4, 20, 2);
    const target = name.includes('entropy') ? Float64Array.of(0.1, 0.2, 0.7, 0) : normals(4, 21, 2);
    const { gradient } = lossAt(name, output, target);
    const e = 1e-4;
    output.forEach((_, at) => {
      const value = (by: number): number =>
        lossAt(
          name,
          output.map((entry, o) => (o === at ? entry + by : entry)),
          target,
        ).value;
      expect(Math.abs(gradient[at] - (value(e) - value(-e)) / (2 * e))).toBeLessThan(1e-7);
    });
  });

  it('has the values of its definition', () => {
    const [y, t] = [Float64Array.of(1, 3), Float64Array.of(0, 0.5)];
    expect(lossAt('mse', y, t).value).toBeCloseTo((1 + 6.25) / 2, 12);
    expect(lossAt('mae', y, t).value).toBeCloseTo(1.75, 12);
    expect(lossAt('huber', y, t).value).toBeCloseTo((0.5 + 2) / 2, 12);
    expect(lossAt('cross-entropy', Float64Array.of(0, 0), Float64Array.of(0, 1)).value).toBeCloseTo(Math.LN2, 12);
    expect(lossAt('binary-cross-entropy', Float64Array.of(0), Float64Array.of(1)).value).toBeCloseTo(Math.LN2, 12);
    // Saturated: nothing is clipped.
    expect(lossAt('cross-entropy', Float64Array.of(1000, 0), Float64Array.of(0, 1)).value).toBe(1000);
    expect(lossAt('binary-cross-entropy', Float64Array.of(-1000), Float64Array.of(1)).value).toBe(1000);
  });
});
