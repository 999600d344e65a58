/** A framework that computes an activation wrongly is named, and only then. */
import { describe, expect, it } from 'vitest';
import { frameworkDifferences } from '../../src/analysis/framework-differences';
import type { ActivationDescription } from '../../src/core/activations';
import type { RecurrentModel } from '../../src/core/model';
import { at, layer, lstm, model, recurrent, recurrentLayer } from '../engine/model-builder';

function built(producer: string, below: ActivationDescription, activation: ActivationDescription): RecurrentModel {
  const layers = [
    layer('InputLayer', { kind: 'input', shape: [null, 3], integer: false }, [], 'input'),
    layer('Activation', { kind: 'activation', activation: below }, [at(0)], 'below'),
    recurrentLayer(recurrent({ ...lstm(3, 2), activation }), [at(1)], 'memory'),
    layer('Activation', { kind: 'activation', activation: { name: 'sparsemax' } }, [at(2)], 'above'),
  ];
  return model(layers, producer);
}

const [TANH, SPARSEMAX] = [{ name: 'tanh' }, { name: 'sparsemax' }] as const;

describe('frameworkDifferences', () => {
  it.each([
    ['Keras 3.15.1', true],
    ['Keras 3.3.3', true],
    ['Keras 3', true],
    ['Keras 3.15.2', false],
    ['Keras 3.16.0', false],
    ['Keras 2.15.0', false],
  ])('names the layers with sparsemax of a file of %s: %s', (producer, isWrong) => {
    const warnings = frameworkDifferences(built(producer, SPARSEMAX, SPARSEMAX), 2);
    expect(warnings.map(({ code }) => code)).toEqual(isWrong ? ['activation/differs'] : []);
    if (isWrong) expect(warnings[0]!.message).toMatch(/\((memory, below|below, memory)\)/);
  });

  it('says nothing of other activations, nor of layers above', () => {
    expect(frameworkDifferences(built('Keras 3.15.1', TANH, TANH), 2)).toEqual([]);
  });
});
