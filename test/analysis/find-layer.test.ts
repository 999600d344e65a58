import { describe, expect, it } from 'vitest';
import { recurrentLayers } from '../../src/analysis/find-layer';
import { runNotes } from '../../src/analysis/run-notes';
import type { Layer, RecurrentModel } from '../../src/core/model';

function modelOf(...layers: readonly (readonly [name: string, className: string, reason: string])[]): RecurrentModel {
  return {
    format: 'x',
    producer: 'x',
    layers: layers.map(([name, className, reason]): Layer => ({
      name,
      className,
      operation: { kind: 'unsupported', reason },
      inputs: [],
      weights: [],
      origin: { path: name, sourceGateOrder: [] },
    })),
    inputs: [],
    assumptions: [],
    warnings: [],
  };
}

const errorOf = (model: RecurrentModel): unknown => {
  try {
    return recurrentLayers(model);
  } catch (error) {
    return error;
  }
};

describe('a model without a recurrent layer', () => {
  it('is told by its classes, not by why a convolution cannot be run', () => {
    expect(errorOf(modelOf(['conv', 'Conv2D', 'cannot be run'], ['head', 'Dense', 'cannot be run']))).toMatchObject({
      code: 'cell/none-found',
      message: 'the model has no recurrent layer that can be analysed (it has: Conv2D, Dense)',
      remedy: expect.stringMatching(/has no recurrent layer, so there is nothing to analyse/),
    });
  });

  it('keeps the reason of what may be recurrent', () => {
    expect(errorOf(modelOf(['conv', 'Conv2D', 'no'], ['own', 'MyMemory', 'it is code']))).toMatchObject({
      message: expect.stringMatching(/\(it has: Conv2D, MyMemory\); own: it is code$/),
      remedy: expect.stringContaining('no readable recurrent layer'),
    });
  });

  it('of weights only is told by the names of its tensors', () => {
    expect(errorOf(modelOf(['features.0', 'unknown', 'no'], ['head', 'unknown', 'no']))).toMatchObject({
      message: expect.stringMatching(/weights only: features\.0, head$/),
    });
  });
});

describe('assumptions of a run', () => {
  const assumption = (what: string): RecurrentModel['assumptions'][number] => ({
    what,
    assumed: 'tanh',
    why: 'not stored',
    change: '',
  });
  const recurrent = (name: string, inputs: Layer['inputs']): Layer =>
    ({
      ...modelOf([name, 'LSTM', '']).layers[0]!,
      operation: { kind: 'recurrent', initialState: [], backwardInput: null },
      inputs,
    }) as unknown as Layer;
  const model: RecurrentModel = {
    ...modelOf(),
    layers: [
      recurrent('g', []),
      recurrent('l', [{ layer: 0, output: 0 }]),
      recurrent('deep', [{ layer: 1, output: 0 }]),
    ],
    assumptions: ['activation of g', 'activation of l', 'activation of deep', 'dropout and noise'].map(assumption),
  };
  const told = (layer: number): readonly string[] => {
    const size = { notes: [], storedBatch: null } as unknown as Parameters<typeof runNotes>[2];
    const started = { sourceSteps: 3, steps: 3, modes: [] } as unknown as Parameters<typeof runNotes>[3];
    return runNotes(model, layer, size, started).assumptions.map(({ what }) => what);
  };

  it('are those of the layer, of what it stands on, and of the whole model', () => {
    expect(told(0)).toEqual(['activation of g', 'dropout and noise']);
    expect(told(1)).toEqual(['activation of g', 'activation of l', 'dropout and noise']);
  });
});
