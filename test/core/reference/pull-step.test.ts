/** A pulled row against the step Jacobians: r A for the state, and r B through the kernel for the sums. */
import { describe, expect, it } from 'vitest';
import { makePullStep } from '../../../src/core/reference/pull-step';
import { makeReferenceCell, stepJacobians } from '../../../src/core/reference/reference-cell';
import { largestDifference, normals, randomCell, type RandomCellOptions } from '../random-cell';

const CELLS: readonly RandomCellOptions[] = [
  { kind: 'SimpleRNN' },
  { kind: 'SimpleRNN', activation: { name: 'softmax' }, clip: 0.4 },
  { kind: 'LSTM' },
  { kind: 'LSTM', hasPeepholes: true, projected: 3, clip: 0.9 },
  { kind: 'LSTM', hasPeepholes: true, inputForget: true },
  { kind: 'LSTM', hasPeepholes: true, activation: { name: 'softmax' }, recurrentActivation: { name: 'softmax' } },
  { kind: 'GRU', resetAfter: true },
  { kind: 'GRU', resetAfter: false },
  { kind: 'GRU', resetAfter: true, activation: { name: 'softmax' }, recurrentActivation: { name: 'softmax' } },
  { kind: 'GRU', resetAfter: false, activation: { name: 'softmax' }, recurrentActivation: { name: 'softmax' } },
  { kind: 'GRU', resetAfter: true, hasBias: false },
];

describe('makePullStep', () => {
  it.each(CELLS.map((options) => [JSON.stringify(options), options] as const))('%s', (_, options) => {
    const description = randomCell({ units: 5, ...options });
    const cell = makeReferenceCell(description);
    const { inputDim, stateSize, hiddenSize, units } = cell;
    const x = normals(inputDim, 5);
    const previous = { h: normals(hiddenSize, 6), c: cell.hasCell ? normals(units, 7) : null };
    const row = normals(stateSize, 8);
    const { stateJacobian, inputJacobian } = stepJacobians(cell, x, previous);
    const pulled = makePullStep(description)(x, previous, row);
    const times = (matrix: Float64Array, columns: number): Float64Array =>
      Float64Array.from({ length: columns }, (_unused, j) =>
        row.reduce((sum, value, i) => sum + value * matrix[i * columns + j], 0),
      );
    expect(largestDifference(pulled.state, times(stateJacobian, stateSize))).toBeLessThan(1e-14);
    const width = description.kernel.shape[1];
    const throughKernel = Float64Array.from({ length: inputDim }, (_unused, d) =>
      pulled.input.reduce((sum, value, j) => sum + value * description.kernel.data[d * width + j], 0),
    );
    expect(largestDifference(throughKernel, times(inputJacobian, inputDim))).toBeLessThan(1e-14);
  });
});
