import { beforeAll, describe, expect, it } from 'vitest';
import type { ActivationDescription } from '../../src/core/activations';
import type { Ops } from '../../src/engine/ops';
import { ALL_OPS } from './all-ops';
import { expectAsReference, runCase, type Case } from './random-cells';

const small = { units: 5, inputDim: 3, batch: 2, steps: 6 } as const;

/** Every kind, both resets, directions, masks, initial states and the smallest sizes. */
const CASES: readonly Case[] = [
  ...(['SimpleRNN', 'LSTM', 'GRU'] as const).flatMap((kind): Case[] => [
    { kind, ...small },
    { kind, ...small, direction: 'backward' },
    { kind, ...small, initial: true, bias: false },
    { kind, ...small, batch: 3, masked: 0.4, initial: true },
    { kind, ...small, batch: 1, masked: 0.4, direction: 'backward' },
    { kind, units: 1, inputDim: 1, batch: 1, steps: 1 },
    { kind, units: 1, inputDim: 4, batch: 3, steps: 3 },
    { kind, units: 4, inputDim: 1, batch: 1, steps: 5, chunkBytes: 1 },
    { kind, units: 40, inputDim: 20, batch: 9, steps: 70, gain: 0.9, chunkBytes: 400_000 },
  ]),
  { kind: 'GRU', ...small, resetAfter: false },
  { kind: 'GRU', ...small, resetAfter: false, direction: 'backward', masked: 0.3, bias: false },
  { kind: 'GRU', units: 24, inputDim: 20, batch: 2, steps: 40, resetAfter: false },
];

const softmax: ActivationDescription = { name: 'softmax' };
const ACTIVATIONS: readonly Case[] = [
  { kind: 'SimpleRNN', ...small, activation: { name: 'relu' } },
  { kind: 'SimpleRNN', ...small, activation: softmax },
  { kind: 'SimpleRNN', ...small, activation: { name: 'log_softmax' }, gain: 0.2 },
  { kind: 'SimpleRNN', ...small, activation: { name: 'sparsemax' } },
  { kind: 'LSTM', ...small, activation: softmax },
  { kind: 'LSTM', ...small, recurrentActivation: softmax, masked: 0.3 },
  {
    kind: 'LSTM',
    ...small,
    recurrentActivation: { name: 'hard_sigmoid', slope: 0.2 },
    activation: { name: 'softsign' },
  },
  { kind: 'LSTM', ...small, recurrentActivation: { name: 'hard_sigmoid', slope: 1 / 6 }, activation: { name: 'elu' } },
  { kind: 'LSTM', ...small, activation: { name: 'linear' }, gain: 0.3 },
  { kind: 'GRU', ...small, activation: softmax },
  { kind: 'GRU', ...small, recurrentActivation: softmax },
  { kind: 'GRU', ...small, recurrentActivation: softmax, activation: softmax, resetAfter: false },
  { kind: 'GRU', ...small, activation: { name: 'gelu' }, resetAfter: false },
  { kind: 'GRU', ...small, activation: { name: 'relu' }, recurrentActivation: { name: 'hard_sigmoid', slope: 0.2 } },
];

/** The options of ONNX and PyTorch, alone and where they meet, forward and backward, masked, of many sequences. */
const OPTIONS: readonly Case[] = [
  ...(['SimpleRNN', 'LSTM', 'GRU'] as const).flatMap((kind): Case[] => [
    { kind, ...small, clip: 0.6 },
    { kind, ...small, clip: 0.6, activation: softmax, masked: 0.3, gain: 0.5 },
    { kind, ...small, activation: { name: 'scaled_tanh', alpha: 1.3, slope: 0.7 } },
    { kind, ...small, activation: { name: 'affine', slope: 0.5, offset: 0.1 }, gain: 0.3 },
    { kind, ...small, recurrentActivation: { name: 'hard_sigmoid', slope: 0.3, offset: 0.4 } },
  ]),
  { kind: 'GRU', ...small, clip: 0.6, resetAfter: false },
  { kind: 'GRU', ...small, clip: 0.6, recurrentActivation: softmax },
  { kind: 'LSTM', ...small, peepholes: true },
  { kind: 'LSTM', ...small, peepholes: true, direction: 'backward', masked: 0.4, batch: 3, initial: true },
  { kind: 'LSTM', ...small, peepholes: true, clip: 0.8, bias: false },
  { kind: 'LSTM', ...small, peepholes: true, inputForget: true },
  { kind: 'LSTM', ...small, peepholes: true, recurrentActivation: softmax, inputForget: true },
  { kind: 'LSTM', ...small, peepholes: true, recurrentActivation: softmax, activation: softmax, clip: 0.7 },
  { kind: 'LSTM', ...small, inputForget: true },
  { kind: 'LSTM', ...small, outputActivation: { name: 'softsign' } },
  { kind: 'LSTM', ...small, outputActivation: softmax },
  { kind: 'LSTM', ...small, projected: 2 },
  { kind: 'LSTM', ...small, projected: 3, direction: 'backward', masked: 0.4, batch: 3, initial: true },
  { kind: 'LSTM', ...small, projected: 4, peepholes: true, clip: 0.9, chunkBytes: 1 },
  { kind: 'LSTM', ...small, projected: 2, inputForget: true, outputActivation: softmax, recurrentActivation: softmax },
  { kind: 'LSTM', units: 1, inputDim: 1, batch: 1, steps: 1, projected: 1, peepholes: true },
  { kind: 'LSTM', units: 7, inputDim: 1, batch: 2, steps: 3, projected: 1 },
  { kind: 'LSTM', units: 40, inputDim: 20, batch: 9, steps: 70, gain: 0.9, projected: 17, chunkBytes: 400_000 },
  { kind: 'LSTM', units: 40, inputDim: 20, batch: 9, steps: 70, gain: 0.9, peepholes: true, chunkBytes: 400_000 },
  { kind: 'LSTM', units: 160, inputDim: 8, batch: 1, steps: 12, gain: 0.9, projected: 96 },
  { kind: 'LSTM', units: 160, inputDim: 8, batch: 1, steps: 12, gain: 0.9, peepholes: true, clip: 2 },
];

const titled = (cases: readonly Case[]): [string, Case][] => cases.map((one) => [JSON.stringify(one), one]);

describe.each(ALL_OPS)('cells on %s', (name, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });
  const tolerance =
    name === 'float64'
      ? { states: 1e-12, jacobians: 1e-11, lognorm: 1e-11 }
      : { states: 1e-5, jacobians: 1e-4, lognorm: 1e-3 };

  it.each(titled([...CASES, ...ACTIVATIONS, ...OPTIONS]))('as the float64 reference: %s', async (_, wanted) => {
    const before = ops.tensorCount();
    const { cell, ...outcome } = await runCase(ops, wanted);
    expect(ops.tensorCount()).toBe(before);
    expectAsReference(outcome, cell, tolerance);
  });
});
