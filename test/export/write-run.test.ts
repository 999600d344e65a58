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
