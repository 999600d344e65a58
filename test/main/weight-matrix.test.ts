import { describe, expect, it } from 'vitest';
import type { CellDescription, RecurrentModel } from '../../src/core/model';
import { weightMatrix } from '../../src/main/weight-matrix';

const counting = (rows: number, columns: number) => ({
  shape: [rows, columns],
  data: Float64Array.from({ length: rows * columns }, (_, index) => index),
});

const LSTM = {
  kind: 'LSTM',
  units: 2,
  inputDim: 3,
  kernel: counting(3, 8),
  recurrentKernel: counting(2, 8),
  bias: { shape: [8], data: Float32Array.from({ length: 8 }, (_, index) => index) },
} as unknown as CellDescription;

const GRU = {
  kind: 'GRU',
  units: 2,
  inputDim: 3,
  kernel: counting(3, 6),
  recurrentKernel: counting(2, 6),
  bias: counting(2, 6),
  resetAfter: true,
} as unknown as CellDescription;

const RNN = {
  kind: 'SimpleRNN',
  units: 2,
  inputDim: 3,
  kernel: counting(3, 2),
  recurrentKernel: counting(2, 2),
  bias: null,
} as unknown as CellDescription;

function modelOf(forward: CellDescription | null, backward: CellDescription | null = null): RecurrentModel {
  return {
    layers: [
      { name: 'cell', operation: { kind: 'recurrent', forward, backward } },
      { name: 'head', operation: { kind: 'identity' } },
    ],
  } as unknown as RecurrentModel;
}

const ask = (model: RecurrentModel, change: object = {}) =>
  weightMatrix(model, { layer: 'cell', direction: 'forward', role: 'kernel', gate: 'g', ...change } as never);

describe('weightMatrix', () => {
  it('gives the block of a gate, in the order i f g o', () => {
    expect(ask(modelOf(LSTM))).toEqual({ rows: 3, columns: 2, data: Float32Array.of(4, 5, 12, 13, 20, 21) });
    expect(ask(modelOf(LSTM), { role: 'recurrent_kernel', gate: 'o' })).toEqual({
      rows: 2,
      columns: 2,
      data: Float32Array.of(6, 7, 14, 15),
    });
    expect(ask(modelOf(LSTM), { role: 'bias', gate: 'f' })).toEqual({
      rows: 1,
      columns: 2,
      data: Float32Array.of(2, 3),
    });
  });

  it('gives both rows of a GRU bias, and z r n', () => {
    expect(ask(modelOf(GRU), { role: 'bias', gate: 'n' })).toEqual({
      rows: 2,
      columns: 2,
      data: Float32Array.of(4, 5, 10, 11),
    });
  });

  it('gives the one block of a SimpleRNN, and the backward cell', () => {
    expect(ask(modelOf(RNN), { gate: 'h' }).data).toHaveLength(6);
    expect(ask(modelOf(LSTM, RNN), { direction: 'backward', gate: 'h' })).toMatchObject({ rows: 3, columns: 2 });
  });

  it.each([
    ['an unknown layer', { layer: 'none' }],
    ['a layer without a cell', { layer: 'head' }],
    ['a direction that is not there', { direction: 'backward' }],
    ['a gate of another kind', { gate: 'z' }],
  ])('refuses %s', (_what, change) => {
    expect(() => ask(modelOf(LSTM), change)).toThrowError(expect.objectContaining({ code: 'cell/no-such-layer' }));
  });

  it('refuses a bias that the cell does not have', () => {
    expect(() => ask(modelOf(RNN), { role: 'bias', gate: 'h' })).toThrowError(/has no bias/);
  });
});
