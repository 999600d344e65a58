/** What a run takes for granted without being asked. */
import { describe, expect, it } from 'vitest';
import { planRun } from '../../src/analysis/analyze';
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

  it.each([
    ['a feature too many', [2, 6, 99]],
    ['no features', [2, 6, 0]],
    ['four axes', [2, 6, 3, 1]],
    ['one axis', [6]],
  ])('refuses before the run an input of the wrong shape: %s', async (_, shape) => {
    const fixture = loadKerasFixture('keras3-encoder-decoder-two-inputs');
    const model = await readFixtureModel(fixture);
    const { request } = fixtureRun(fixture, 'reference');
    const input = { shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) };
    const data = { input, mask: null, initialState: null };
    const source = { format: '', producer: '', path: '', bytes: 0, sha256: '' };
    const plan = (): unknown =>
      planRun({ model, source, version: 'test', request: { ...request, atLayer: false }, data });
    expect(plan).toThrow(expect.objectContaining({ code: 'input/shape-mismatch' }));
  });
});
