/**
 * Every Keras fixture on every engine: states against the framework, Jacobians against an outside float64 autodiff.
 *
 * Tolerances: h and c within 1e-5, absolute or relative (float32 sums of a framework in another order); Jacobians within
 * 1e-4 of the largest entry on the float32 engines, 1e-9 on the reference engine, whose expected values are float64.
 */
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import { loadEngine } from '../../src/engine/load-engine';
import {
  fixtureRun,
  kerasFixtureNames,
  loadKerasFixture,
  readFixtureModel,
  type KerasFixture,
} from '../support/keras-fixtures';
import { collectRun, type CollectedRun } from '../support/collect-run';

const ENGINES = ['reference', 'tensorflow', 'wasm'] as const;
const STATE_TOLERANCE = 1e-5;
const JACOBIAN_TOLERANCE = { reference: 1e-9, tensorflow: 1e-4, wasm: 1e-4 } as const;

/** Runs a fixture through the main path. */
async function runFixture(fixture: KerasFixture, engine: (typeof ENGINES)[number]): Promise<CollectedRun> {
  const model = await readFixtureModel(fixture);
  const { request, data } = fixtureRun(fixture, engine);
  const source = { format: fixture.format, producer: '', path: fixture.file, bytes: fixture.bytes.length, sha256: '' };
  return collectRun(analyze({ model, source, version: 'test', request, data }, new AbortController().signal));
}

function largest(data: ArrayLike<number>): number {
  let found = 0;
  for (let index = 0; index < data.length; index++) found = Math.max(found, Math.abs(data[index]!));
  return found;
}

function worstState(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let worst = 0;
  for (let index = 0; index < want.length; index++) {
    const difference = Math.abs(got[index]! - want[index]!);
    worst = Math.max(worst, Number.isNaN(difference) ? Infinity : difference / Math.max(1, Math.abs(want[index]!)));
  }
  return worst;
}

function worstEntry(got: ArrayLike<number>, want: ArrayLike<number>): number {
  const scale = largest(want) || 1;
  let worst = 0;
  for (let index = 0; index < want.length; index++) {
    const difference = Math.abs(got[index]! - want[index]!);
    worst = Math.max(worst, Number.isNaN(difference) ? Infinity : difference / scale);
  }
  return worst;
}

describe.each(ENGINES)('Keras fixtures on %s', (engineName) => {
  it.each(kerasFixtureNames())('%s', async (name) => {
    const fixture = loadKerasFixture(name);
    const engine = await loadEngine(engineName);
    const before = engine.tensorCount();
    const got = await runFixture(fixture, engineName);
    expect(engine.tensorCount(), 'live tensors').toBe(before);
    const { expected } = fixture;
    for (const array of fixture.hasCell ? ['h', 'c'] : ['h']) {
      expect(got.arrays.get(array)!.length, array).toBe(expected.get(array)!.data.length);
      expect(worstState(got.arrays.get(array)!, expected.get(array)!.data), array).toBeLessThan(STATE_TOLERANCE);
    }
    for (const array of fixture.hasCell ? ['dh_dx', 'dc_dx', 'dhT_dx', 'dcT_dx'] : ['dh_dx', 'dhT_dx']) {
      expect(got.arrays.get(array)!.length, array).toBe(expected.get(array)!.data.length);
      const worst = worstEntry(got.arrays.get(array)!, expected.get(array)!.data);
      expect(worst, array).toBeLessThan(JACOBIAN_TOLERANCE[engineName]);
    }
  });
});
