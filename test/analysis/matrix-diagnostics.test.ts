/** The diagnostics of the kernels let a cancel in. */
import { describe, expect, it } from 'vitest';
import { findLayer } from '../../src/analysis/find-layer';
import { matrixDiagnostics } from '../../src/analysis/matrix-diagnostics';
import { Pace } from '../../src/engine/pace';
import { recurrent, recurrentLayer } from '../engine/model-builder';
import { makeCell } from '../engine/random-cells';
import { loadKerasFixture, readFixtureModel } from '../support/keras-fixtures';

describe('matrixDiagnostics', () => {
  it('says of each direction apart what is too large for it', async () => {
    const cell = (units: number) => makeCell({ kind: 'GRU', units, inputDim: 2, batch: 1, steps: 1 });
    const warningsOf = async (forward: number, backward: number): Promise<readonly string[]> => {
      const memory = recurrentLayer(recurrent(cell(forward), { backward: cell(backward) }), []);
      const { warnings } = await matrixDiagnostics(memory, new Pace(new AbortController().signal));
      return warnings.map(({ message }) => message).filter((message) => message.includes('units'));
    };
    const leftOut = 'spectralRadius and nonNormalPeak are left out above 256 units';
    expect(await warningsOf(4, 258)).toEqual([`${leftOut} (the backward direction has 258).`]);
    expect(await warningsOf(258, 258)).toEqual([`${leftOut} (this layer has 258).`]);
    expect(await warningsOf(4, 6)).toEqual([]);
  });

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
