import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { TempogradError } from '../../src/core/errors';
import { memorySource, type ByteSource } from '../../src/readers/byte-source';
import { openZip } from '../../src/readers/containers/zip';
import { openNpzStore } from '../../src/readers/dialects/keras/npz-store';
import { limitsOfReading, type ReadLimits } from '../../src/readers/limits';
import { writeZip } from './containers/write-zip';

const FIXTURE = fileURLToPath(new URL('../fixtures/keras/keras3-npz-lstm/model.keras', import.meta.url));

function bytesOf(source: ByteSource): Uint8Array {
  return source.read(0, source.size);
}

/** One holder of two or three variables, as Keras writes it. */
async function holder(): Promise<Uint8Array> {
  const outer = await openZip(memorySource(readFileSync(FIXTURE)), limitsOfReading());
  const inner = await openZip(await outer.open('model.weights.npz'), limitsOfReading());
  const name = inner.names.find((entry) => entry.includes('cell')) ?? '';
  return bytesOf(await inner.open(name));
}

/** The cap that a store of such holders meets; null for none. */
async function capOf(paths: readonly string[], limits: Partial<ReadLimits> = {}): Promise<unknown> {
  const bytes = await holder();
  const caps = limitsOfReading(limits);
  const archive = await openZip(memorySource(writeZip(paths.map((name) => ({ name, bytes })))), limitsOfReading());
  try {
    await openNpzStore(archive, 'w.npz', caps);
    return null;
  } catch (error) {
    return [(error as TempogradError).code, (error as TempogradError).details['limit']];
  }
}

describe('a store of .npz weights', () => {
  it.each([60, 32_000])('refuses %i groups inside groups past the cap, and does not descend', async (depth) => {
    expect(await capOf([`${'a/'.repeat(depth)}b.npy`])).toEqual(
      depth > 62 ? ['reader/limit-exceeded', 'maxHdf5Depth'] : null,
    );
  });

  it('counts groups and variables', async () => {
    const paths = ['a/b.npy', 'a/c.npy', 'd.npy'];
    expect(await capOf(paths)).toBeNull();
    // The root, a, a/b, a/b/vars, a/c, a/c/vars, d, d/vars.
    expect(await capOf(paths, { maxNamedTensors: 7 })).toEqual(['reader/limit-exceeded', 'maxNamedTensors']);
    expect(await capOf(['a.npy'], { maxNamedTensors: 2 })).toEqual(['reader/limit-exceeded', 'maxNamedTensors']);
  });

  it('counts the letters of all names', async () => {
    expect(await capOf([`${'a'.repeat(500)}.npy`], { maxNameBytes: 400 })).toEqual([
      'reader/limit-exceeded',
      'maxNameBytes',
    ]);
  });
});
