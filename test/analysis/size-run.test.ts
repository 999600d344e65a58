/** What a run takes for granted without being asked. */
import { describe, expect, it } from 'vitest';
import { findLayer } from '../../src/analysis/find-layer';
import { sizeRun } from '../../src/analysis/size-run';
import { fixtureRun, loadKerasFixture, readFixtureModel } from '../support/keras-fixtures';

describe('sizeRun', () => {
  it.each([
    ['encoder', false],
    ['decoder', true],
  ])('names the inputs of the %s that a file leaves to chance', async (layer, isNamed) => {
    const fixture = loadKerasFixture('keras3-encoder-decoder-two-inputs');
    const model = await readFixtureModel(fixture);
    const { request } = fixtureRun(fixture, 'reference');
    const first = model.layers[model.inputs[0]!]!;
    const width = first.operation.kind === 'input' ? first.operation.shape[1]! : 0;
    const input = { shape: [2, 6, width], data: new Float32Array(12 * width) };
    const found = findLayer(model, layer);
    const size = sizeRun(model, found, { ...request, atLayer: false }, { input, mask: null, initialState: null });
    expect(model.inputs.length).toBe(2);
    const second = model.layers[model.inputs[1]!]!.name;
    expect(size.notes).toEqual(isNamed ? [`the file is input ${first.name}; random with seed 0: ${second}`] : []);
  });
});
