/**
 * `--wrt model-input` through the layers below, against central differences of the whole path in float64.
 *
 * The error of a difference is about 1e-10 of the largest entry, so 1e-7 leaves room for curvature.
 */
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import { findLayer } from '../../src/analysis/find-layer';
import type { RecurrentModel } from '../../src/core/model';
import { collectRun, type CollectedRun } from '../support/collect-run';
import { expectDifferences } from '../support/differences';
import { fixtureRun, kerasFixtureNames, loadKerasFixture, readFixtureModel } from '../support/keras-fixtures';

const TOLERANCE = 1e-7;
const SIGNAL = new AbortController().signal;

const NAMES = kerasFixtureNames().filter((name) => /^keras3-(below|branches|time-distributed-dense|nested)/.test(name));

async function runWith(
  name: string,
  engine: 'reference' | 'tensorflow',
): Promise<{ model: RecurrentModel; run: CollectedRun; data: Float64Array; shape: readonly number[]; layer: number }> {
  const fixture = loadKerasFixture(name);
  const model = await readFixtureModel(fixture);
  const { request, data } = fixtureRun(fixture, engine);
  const source = { format: '', producer: '', path: '', bytes: 0, sha256: '' };
  const input = { shape: data.input!.shape, data: Float64Array.from(data.input!.data) };
  const order = {
    model,
    source,
    version: 'test',
    request: { ...request, wrt: 'model-input' as const },
    data: { ...data, input },
  };
  const run = await collectRun(analyze(order, SIGNAL));
  return { model, run, data: input.data, shape: input.shape, layer: findLayer(model, fixture.layer).index };
}

describe('with respect to the model input', () => {
  it.each(NAMES)('%s equals central differences', async (name) => {
    const { model, run, data, shape, layer } = await runWith(name, 'reference').catch((error: unknown) => {
      // A layer that does not stand on the input alone is refused by name, which is all there is to check.
      expect(error).toMatchObject({ code: 'cell/unsupported' });
      return { run: null } as never;
    });
    if (run === null) return;
    await expectDifferences(model, layer, { data, shape }, run, TOLERANCE);
  });

  it.each(['keras3-below-conv-strides', 'keras3-below-conv-same', 'keras3-below-dense'])(
    '%s agrees on tensorflow',
    async (name) => {
      const [reference, native] = [await runWith(name, 'reference'), await runWith(name, 'tensorflow')];
      for (const array of ['dh_dx', 'dhT_dx']) {
        const want = reference.run.arrays.get(array);
        const got = native.run.arrays.get(array);
        expect(got?.length).toBe(want?.length);
        if (!want || !got) continue;
        const scale = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const worst = want.reduce((most, value, index) => Math.max(most, Math.abs(value - got[index]!)), 0);
        expect(worst / scale).toBeLessThan(1e-4);
      }
    },
  );

  it('takes the embedded sequence for a model that starts with an Embedding', async () => {
    const fixture = loadKerasFixture('keras3-embedding-no-mask');
    const model = await readFixtureModel(fixture);
    const { request, data } = fixtureRun(fixture, 'reference');
    const source = { format: '', producer: '', path: '', bytes: 0, sha256: '' };
    const order = (wrt: 'layer-input' | 'model-input') => ({
      model,
      source,
      version: 'test',
      request: { ...request, wrt },
      data,
    });
    const own = await collectRun(analyze(order('layer-input'), SIGNAL));
    const whole = await collectRun(analyze(order('model-input'), SIGNAL));
    expect(whole.arrays.get('x')).toEqual(own.arrays.get('x'));
    expect(whole.arrays.get('dhT_dx')).toEqual(own.arrays.get('dhT_dx'));
  });

  it.each(['keras3-stacked-second'])('%s goes through the recurrent layer below', async (name) => {
    const { model, run, data, shape, layer } = await runWith(name, 'reference');
    await expectDifferences(model, layer, { data, shape }, run, TOLERANCE);
  });

  it('refuses a layer whose sequences lie inside each timestep', async () => {
    const fixture = loadKerasFixture('keras3-time-distributed-lstm');
    const { request } = fixtureRun(fixture, 'reference');
    const order = (atLayer: boolean) => ({
      model,
      source: { format: '', producer: '', path: '', bytes: 0, sha256: '' },
      version: 'test',
      request: {
        ...request,
        wrt: 'model-input' as const,
        atLayer,
        input: { kind: 'random' as const, steps: 4, batch: 2, seed: 0 },
      },
      data: { input: null, mask: null, initialState: null },
    });
    const model = await readFixtureModel(fixture);
    await expect(collectRun(analyze(order(false), SIGNAL))).rejects.toMatchObject({
      code: 'cell/unsupported',
      message: expect.stringContaining('sequences inside each timestep') as string,
    });
    // Fed directly, the layer has no model input at all.
    await expect(collectRun(analyze(order(true), SIGNAL))).rejects.toMatchObject({ code: 'usage/bad-option' });
  });
});
