/** Small models built by hand, for the engine's tests. */
import {
  PLAIN_LSTM,
  type CellDescription,
  type Layer,
  type LayerOperation,
  type LstmCell,
  type RecurrentLayer,
  type RecurrentModel,
  type RecurrentOperation,
  type ValueRef,
} from '../../src/core/model';
import { wholeSequence } from '../../src/core/whole-sequence';
import type { RealTensor } from '../../src/core/tensor';
import { noise } from './all-ops';

/** The first output of a layer. */
export const at = (layer: number, output = 0): ValueRef => ({ layer, output });

/** A tensor of reproducible numbers. */
export function weights(shape: readonly number[], seed = 1): RealTensor {
  return {
    shape,
    data: noise(
      shape.reduce((product, size) => product * size, 1),
      seed,
    ),
  };
}

/** An LSTM cell with random weights. */
export function lstm(inputDim: number, units: number, seed = 1): LstmCell {
  return {
    kind: 'LSTM',
    units,
    inputDim,
    kernel: weights([inputDim, 4 * units], seed),
    recurrentKernel: weights([units, 4 * units], seed + 1),
    bias: weights([4 * units], seed + 2),
    activation: { name: 'tanh' },
    recurrentActivation: { name: 'sigmoid' },
    outputActivation: { name: 'tanh' },
    ...PLAIN_LSTM,
  };
}

/** A recurrent operation; last step only, no state, unless said otherwise. */
export function recurrent(forward: CellDescription | null, more: Partial<RecurrentOperation> = {}): RecurrentOperation {
  return { ...wholeSequence(forward), returnSequences: false, ...more };
}

/** A layer; named by its class and place unless said otherwise. */
export function layer(
  className: string,
  operation: LayerOperation,
  inputs: readonly ValueRef[],
  name = className,
): Layer {
  return { name, className, operation, inputs, weights: [], origin: { path: name, sourceGateOrder: [] } };
}

/** A recurrent layer by itself. */
export function recurrentLayer(
  operation: RecurrentOperation,
  inputs: readonly ValueRef[],
  name = 'memory',
): RecurrentLayer {
  return { ...layer('LSTM', operation, inputs, name), operation };
}

/** A model over layers in order; every `input` layer is an input of the model. */
export function model(layers: readonly Layer[], producer = 'Keras 3.15.0'): RecurrentModel {
  const inputs = layers.flatMap(({ operation }, index) => (operation.kind === 'input' ? [index] : []));
  return { format: 'keras-v3', producer, layers, inputs, assumptions: [], warnings: [] };
}
