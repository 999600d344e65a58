/** The diagnostics of the kernels let a cancel in. */
import { describe, expect, it } from 'vitest';
import { findLayer } from '../../src/analysis/find-layer';
import { matrixDiagnostics } from '../../src/analysis/matrix-diagnostics';
import { Pace } from '../../src/engine/pace';
import { loadKerasFixture, readFixtureModel } from '../support/keras-fixtures';

describe('matrixDiagnostics', () => {
  it('gives every gate, and stops between two of them when the run is cancelled', async () => {
    const { layer } = findLayer(await readFixtureModel(loadKerasFixture('keras3-encoder-decoder')), '');
    const abort = new AbortController();
    const { diagnostics } = await matrixDiagnostics(layer, new Pace(abort.signal));
    expect(Object.keys(diagnostics.spectralRadius!)).toEqual(['i', 'f', 'g', 'o']);
    const running = matrixDiagnostics(layer, new Pace(abort.signal));
    abort.abort();
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
  });
});
