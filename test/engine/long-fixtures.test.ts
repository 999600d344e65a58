/**
 * Runs whose norms leave float32, and float64 too, against exact arithmetic (mpmath, on Keras models).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { binaryExponent, largestMagnitude, scaleByPower } from '../../src/core/linalg/scaling';
import { isRecurrent } from '../../src/core/model';
import type { Engine } from '../../src/engine/engine';
import { loadEngine } from '../../src/engine/load-engine';
import { memorySource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';
import { ENGINE_NAMES } from './all-ops';
import { readNpzFile, type FixtureArray } from './read-npz';

const FOLDER = join(import.meta.dirname, '../fixtures/long');
const NEVER = new AbortController().signal;
const LOG_NORM_TOLERANCE = 1e-3;
const JACOBIAN_TOLERANCE = 1e-4;

describe.each(ENGINE_NAMES)('long fixtures on %s', (engineName) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await loadEngine(engineName);
  });

  it.each(readdirSync(FOLDER))('%s', async (name) => {
    const folder = join(FOLDER, name);
    const { file } = JSON.parse(readFileSync(join(folder, 'fixture.json'), 'utf8')) as { file: string };
    const expected = readNpzFile(join(folder, 'expected.npz'));
    const need = (array: string): FixtureArray => {
      const found = expected.get(array);
      if (!found) throw new Error(`${name} has no ${array}`);
      return found;
    };
    const openBeside = (): null => null;
    const options = { openBeside, activation: null, recurrentActivation: null, resetAfter: null };
    const model = await readModel(memorySource(readFileSync(join(folder, file))), file, options);
    const index = model.layers.findIndex(isRecurrent);
    const layer = model.layers[index];
    if (!isRecurrent(layer)) throw new Error('no recurrent layer');
    const before = engine.tensorCount();
    const input = await engine.runBelow(model, index, [need('input')], NEVER);
    const run = await engine.openLayer(layer, input, NEVER);
    const sampled = Array.from(need('sample_steps').data);
    try {
      for await (const chunk of run.final('forward', { signal: NEVER, chunkBytes: 2 ** 20 })) {
        const states = [
          ['dhT_dx', chunk.dhTdx, chunk.scaleH, chunk.lognormH],
          ['dcT_dx', chunk.dcTdx, chunk.scaleC, chunk.lognormC],
        ] as const;
        for (const [array, jacobian, scale, lognorm] of states) {
          if (!jacobian || !scale || !lognorm) continue;
          for (let i = 0; i < chunk.count; i++) {
            const step = chunk.start + i;
            const wanted = need(`lognorm_${array}`).data[step];
            if (wanted === -Infinity) expect(lognorm[i], `${array} at ${step}`).toBe(-Infinity);
            else expect(Math.abs(lognorm[i] - wanted), `${array} at ${step}`).toBeLessThan(LOG_NORM_TOLERANCE);
            const sample = sampled.indexOf(step);
            if (sample < 0) continue;
            const size = jacobian.length / chunk.count;
            const block = need(`block_${array}`).data.subarray(sample * size, (sample + 1) * size);
            const exponent = need(`exponent_${array}`).data[sample];
            compareBlock(`${array} at ${step}`, jacobian.subarray(i * size, (i + 1) * size), scale[i], block, exponent);
          }
        }
      }
    } finally {
      run.dispose();
    }
    expect(engine.tensorCount()).toBe(before);
  });
});

/** Both blocks times their power of two, brought to the exponent of the expected one. */
function compareBlock(
  what: string,
  got: Float32Array | Float64Array,
  scale: number,
  wanted: Float64Array | Int32Array,
  exponent: number,
): void {
  const largest = largestMagnitude(wanted);
  if (largest === 0) {
    expect(largestMagnitude(got), what).toBe(0);
    return;
  }
  const full = binaryExponent(largest) + exponent;
  // A float32 block is stored as it is only where float32 holds it.
  if (scale === 0) expect(Math.abs(full), what).toBeLessThanOrEqual(127);
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) {
    worst = Math.max(worst, Math.abs(scaleByPower(got[i], scale - exponent) - wanted[i]));
  }
  expect(worst / largest, what).toBeLessThan(JACOBIAN_TOLERANCE);
}
