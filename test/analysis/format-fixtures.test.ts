/**
 * Fixtures of every format but Keras's own: states against the framework, Jacobians against an outside float64 autodiff.
 *
 * Tolerances as for the Keras fixtures: h and c 1e-5; Jacobians 1e-9 of the largest entry on the reference engine, 1e-4
 * on the others, of which wasm runs every third fixture.
 */
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import { collectRun } from '../support/collect-run';
import { folderFixtureNames, loadFolderFixture, readFolderModel } from '../support/folder-fixtures';
import { fixtureRun } from '../support/keras-fixtures';

const NAMES = folderFixtureNames(['torch', 'safetensors', 'npz', 'onnx', 'tfjs', 'saved-model', 'checkpoint']);
const ENGINES = [
  { engine: 'reference', every: 1, jacobian: 1e-9 },
  { engine: 'tensorflow', every: 1, jacobian: 1e-4 },
  { engine: 'wasm', every: 3, jacobian: 1e-4 },
] as const;
const STATE_TOLERANCE = 1e-5;

/** Largest difference over the largest entry, which is at least `floor`. */
function worst(got: ArrayLike<number>, want: ArrayLike<number>, floor: number): number {
  expect(got.length).toBe(want.length);
  let [difference, scale] = [0, floor];
  for (let index = 0; index < want.length; index++) {
    const gap = Math.abs(got[index]! - want[index]!);
    difference = Math.max(difference, Number.isNaN(gap) ? Infinity : gap);
    scale = Math.max(scale, Math.abs(want[index]!));
  }
  return difference / scale;
}

describe.each(ENGINES)('fixtures on $engine', ({ engine, every, jacobian }) => {
  it.each(NAMES.filter((_, index) => index % every === 0))('%s', async (name) => {
    const fixture = loadFolderFixture(name);
    const model = await readFolderModel(fixture);
    expect(model.format).toBe(fixture.format);
    const { request, data } = fixtureRun(fixture, engine);
    const source = { format: fixture.format, producer: '', path: fixture.file, bytes: 0, sha256: '' };
    const run = analyze({ model, source, version: 'test', request, data }, new AbortController().signal);
    const { arrays } = await collectRun(run);
    for (const array of fixture.hasCell ? ['h', 'c'] : ['h']) {
      expect(worst(arrays.get(array)!, fixture.expected.get(array)!.data, 1), array).toBeLessThan(STATE_TOLERANCE);
    }
    for (const array of fixture.hasCell ? ['dh_dx', 'dc_dx', 'dhT_dx', 'dcT_dx'] : ['dh_dx', 'dhT_dx']) {
      expect(worst(arrays.get(array)!, fixture.expected.get(array)!.data, 1e-300), array).toBeLessThan(jacobian);
    }
  });
});
