/** Models in which other layers stand between the input and a recurrent layer, for derivatives through all of them. */
import type { CellDescription, Layer, PlainOperation, RecurrentModel } from '../../src/core/model';
import { at, layer, lstm, model, recurrent, recurrentLayer, weights } from '../engine/model-builder';
import { makeCell } from '../engine/random-cells';

/** Features of the model's input. */
export const STACK_WIDTH = 3;

const gru = (inputDim: number, units: number, resetAfter = true): CellDescription =>
  makeCell({ kind: 'GRU', units, inputDim, batch: 1, steps: 1, resetAfter });
const rnn = (inputDim: number, units: number): CellDescription =>
  makeCell({ kind: 'SimpleRNN', units, inputDim, batch: 1, steps: 1 });
const all = { returnSequences: true } as const;
const tanh = { name: 'tanh' } as const;

const conv = (inputs: number, outputs: number, size: number, padding: 'same' | 'causal' | 'valid'): PlainOperation => ({
  kind: 'conv1d',
  kernel: weights([size, inputs, outputs], 31),
  bias: weights([outputs], 32),
  ...{ stride: 1, dilation: 1, groups: 1, padding },
  activation: tanh,
});
const dense = (inputs: number, outputs: number): PlainOperation => ({
  kind: 'dense',
  kernel: weights([inputs, outputs], 33),
  bias: weights([outputs], 34),
  activation: tanh,
});
const normalization = (width: number): PlainOperation => ({
  kind: 'layer-normalization',
  ...{ axes: [-1], epsilon: 1e-3, rms: false, beta: null },
  gamma: weights([width], 35),
});
const both = (width: number, units: number, more = {}): Parameters<typeof recurrentLayer>[0] =>
  recurrent(lstm(width, units, 1), { backward: lstm(width, units, 9), ...all, ...more });

/** Layers above the input, which is layer 0; the last one is the layer that is differentiated. */
const STACKS: Readonly<Record<string, readonly Layer[]>> = {
  'an LSTM alone': [recurrentLayer(recurrent(lstm(3, 4), all), [at(0)])],
  'two LSTMs': [
    recurrentLayer(recurrent(lstm(3, 4), all), [at(0)], 'below'),
    recurrentLayer(recurrent(lstm(4, 3, 5), all), [at(1)]),
  ],
  'a GRU, an LSTM and a SimpleRNN': [
    recurrentLayer(recurrent(gru(3, 4), all), [at(0)], 'below'),
    recurrentLayer(recurrent(lstm(4, 3, 5), all), [at(1)], 'between'),
    recurrentLayer(recurrent(rnn(3, 4), all), [at(2)]),
  ],
  'three layers of two directions': [
    recurrentLayer(both(3, 4), [at(0)], 'below'),
    recurrentLayer(both(8, 3), [at(1)], 'between'),
    recurrentLayer(both(6, 4), [at(2)]),
  ],
  'a GRU above two directions that are added': [
    recurrentLayer(both(3, 4, { mergeMode: 'sum' }), [at(0)], 'below'),
    recurrentLayer(recurrent(gru(4, 3, false), all), [at(1)]),
  ],
  'two directions that are multiplied': [
    recurrentLayer(both(3, 4, { mergeMode: 'mul' }), [at(0)], 'below'),
    recurrentLayer(recurrent(lstm(4, 3, 5), { backward: gru(4, 2), ...all }), [at(1)]),
  ],
  'a backward layer over one turned round': [
    recurrentLayer(recurrent(null, { backward: lstm(3, 4), ...all, outputReversed: true }), [at(0)], 'below'),
    recurrentLayer(recurrent(null, { backward: lstm(4, 3, 5), ...all }), [at(1)]),
  ],
  'a residual branch': [
    recurrentLayer(recurrent(lstm(3, 3), all), [at(0)], 'below'),
    layer('Add', { kind: 'merge', operation: 'add' }, [at(0), at(1)]),
    layer('LayerNormalization', normalization(3), [at(2)]),
    recurrentLayer(recurrent(lstm(3, 4, 5), all), [at(3)]),
  ],
  'branches side by side': [
    recurrentLayer(recurrent(lstm(3, 4), all), [at(0)], 'below'),
    layer('Dense', dense(3, 2), [at(0)]),
    layer('Concatenate', { kind: 'concatenate', axis: -1 }, [at(1), at(2)]),
    layer('Dropout', { kind: 'identity' }, [at(3)]),
    recurrentLayer(recurrent(gru(6, 4), all), [at(4)]),
  ],
  'a gate of branches': [
    recurrentLayer(recurrent(lstm(3, 3), all), [at(0)], 'below'),
    layer('Dense', dense(3, 3), [at(0)]),
    layer('Multiply', { kind: 'merge', operation: 'multiply' }, [at(1), at(2)]),
    recurrentLayer(both(3, 4), [at(3)]),
  ],
  'a convolution and pooling below': [
    layer('Conv1D', conv(3, 4, 3, 'same'), [at(0)]),
    layer('MaxPooling1D', { kind: 'pool1d', pooling: 'max', size: 2, stride: 2, padding: 'valid' }, [at(1)]),
    recurrentLayer(recurrent(lstm(4, 4), all), [at(2)]),
  ],
  'a convolution and pooling between': [
    recurrentLayer(both(3, 2), [at(0)], 'below'),
    layer('Conv1D', conv(4, 3, 2, 'causal'), [at(1)]),
    layer('AveragePooling1D', { kind: 'pool1d', pooling: 'average', size: 2, stride: 2, padding: 'same' }, [at(2)]),
    layer('UpSampling1D', { kind: 'upsampling1d', size: 3 }, [at(3)]),
    recurrentLayer(recurrent(lstm(3, 4, 5), all), [at(4)]),
  ],
  'a last state that is repeated': [
    recurrentLayer(recurrent(lstm(3, 4)), [at(0)], 'below'),
    layer('RepeatVector', { kind: 'repeat', count: 5 }, [at(1)]),
    recurrentLayer(recurrent(lstm(4, 3, 5), all), [at(2)]),
  ],
  'the states of a layer': [
    recurrentLayer(both(3, 2, { returnState: true, returnSequences: false }), [at(0)], 'below'),
    layer('Concatenate', { kind: 'concatenate', axis: -1 }, [
      { layer: 1, output: 1 },
      { layer: 1, output: 2 },
      { layer: 1, output: 4 },
    ]),
    layer('RepeatVector', { kind: 'repeat', count: 4 }, [at(2)]),
    recurrentLayer(recurrent(lstm(6, 3, 5), all), [at(3)]),
  ],
  'a softmax over time between': [
    recurrentLayer(recurrent(lstm(3, 3), all), [at(0)], 'below'),
    layer('Softmax', { kind: 'softmax', axis: 1 }, [at(1)]),
    recurrentLayer(recurrent(lstm(3, 4, 5), all), [at(2)]),
  ],
  'a projected LSTM with activations that mix units': [
    recurrentLayer(
      recurrent(
        makeCell({ kind: 'LSTM', units: 4, projected: 2, inputDim: 3, batch: 1, steps: 1, peepholes: true }),
        all,
      ),
      [at(0)],
      'below',
    ),
    recurrentLayer(
      recurrent(
        makeCell({ kind: 'LSTM', units: 3, inputDim: 2, batch: 1, steps: 1, activation: { name: 'softmax' } }),
        all,
      ),
      [at(1)],
      'between',
    ),
    recurrentLayer(recurrent(lstm(3, 4, 5), all), [at(2)]),
  ],
};

/** Names of the models. */
export const STACK_NAMES = Object.keys(STACKS);

/** A model by its name, for inputs `[B, steps, STACK_WIDTH]`. */
export function stackModel(name: string, steps: number, below: readonly Layer[] = []): RecurrentModel {
  const input = layer('InputLayer', { kind: 'input', shape: [steps, STACK_WIDTH], integer: false }, []);
  return model([input, ...below, ...STACKS[name]!]);
}
