/** A cancelled run keeps its arrays under a name that is free. */
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import { writeRun } from '../../src/export/write-run';
import { fixtureRun, loadKerasFixture, readFixtureModel } from '../support/keras-fixtures';
import { makeMemorySink } from './memory-sink';

async function keptAs(taken: readonly string[]): Promise<{ files: readonly string[]; names: (string | undefined)[] }> {
  const fixture = loadKerasFixture('keras3-lstm');
  const { request, data } = fixtureRun(fixture, 'reference');
  const source = { format: '', producer: '', path: '', bytes: 0, sha256: '' };
  const abort = new AbortController();
  const order = { model: await readFixtureModel(fixture), source, version: 'test', request, data };
  const names: (string | undefined)[] = [];
  const host = {
    openSink: () => {
      const sink = makeMemorySink();
      return { ...sink, commit: (name?: string) => (names.push(name), sink.commit()) };
    },
    makeFolder: () => undefined,
    join: (folder: string, name: string) => `${folder}/${name}`,
    freeBytes: () => null,
    isTaken: (path: string) => taken.includes(path),
  };
  const { files } = await writeRun(
    analyze(order, abort.signal),
    { npz: 'a/run.npz', csvFolder: null },
    host,
    (event) => {
      if (event.kind === 'final') abort.abort();
    },
  );
  return { files, names };
}

describe('the arrays of a cancelled run', () => {
  it.each([
    [[], 'a/run.partial.npz'],
    [['a/run.partial.npz'], 'a/run.partial-2.npz'],
    [['a/run.partial.npz', 'a/run.partial-2.npz'], 'a/run.partial-3.npz'],
  ])('with %j as inputs are kept as %s', async (taken, name) => {
    expect(await keptAs(taken)).toEqual({ files: [name], names: [name] });
  });
});

describe('the tables of a run', () => {
  it('are told as written little by little, to the end', async () => {
    const fixture = loadKerasFixture('keras3-lstm');
    const { request, data } = fixtureRun(fixture, 'reference');
    const source = { format: '', producer: '', path: '', bytes: 0, sha256: '' };
    const input = { kind: 'random' as const, steps: 3000, batch: 1, seed: 0 };
    const order = {
      model: await readFixtureModel(fixture),
      source,
      version: 'test',
      request: { ...request, input },
      data: { ...data, input: null },
    };
    const told: number[] = [];
    const host = {
      openSink: () => makeMemorySink(),
      makeFolder: () => undefined,
      join: (folder: string, name: string) => `${folder}/${name}`,
      freeBytes: () => null,
      onTableProgress: (fraction: number) => told.push(fraction),
    };
    await writeRun(analyze(order, new AbortController().signal), { npz: null, csvFolder: 'tables' }, host);
    expect(told.length).toBeGreaterThan(5);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    // The last slice of each table is not told of.
    expect(told.at(-1)).toBeGreaterThan(0.6);
    expect(told.at(-1)).toBeLessThanOrEqual(1);
  });
});
