/** What `inspect` says of layers and tensors, held against the numbers that the files hold. */
import { describe, expect, it } from 'vitest';
import { describeModel } from '../../src/readers/describe-model';
import type { MeasuredWeights } from '../../src/readers/reading';
import type { GateStatistics, WeightDescription } from '../../src/core/summary';
import { folderFixtureNames, loadFolderFixture, readFolderModel } from '../support/folder-fixtures';

interface Range {
  readonly name: string;
  readonly shape: readonly number[];
  readonly min: number;
  readonly max: number;
}

/** Of every tensor that was taken from the file. */
async function taken(path: string): Promise<{ readonly described: readonly WeightDescription[]; ranges: Range[] }> {
  const ranges: Range[] = [];
  const model = await readFolderModel(loadFolderFixture(path), ({ name, shape }, { data }) => {
    if (data.every(Number.isFinite)) ranges.push({ name, shape, min: Math.min(...data), max: Math.max(...data) });
  });
  const recurrent = describeModel(model).layers.filter(({ kind }) => kind !== null);
  return { described: recurrent.flatMap(({ weights }) => weights), ranges };
}

function rangeOf(gates: Readonly<Record<string, GateStatistics>> | null): readonly (number | undefined)[] {
  const all = Object.values(gates ?? {});
  return [Math.min(...all.map(({ min }) => min!)), Math.max(...all.map(({ max }) => max!))];
}

/** Turned (Haiku) or moved by one (Haiku's forget bias), and added up within one tensor (ONNX's B). */
const OTHERWISE = /^npz\/haiku|\/onnx-arrays-/;

describe.each(folderFixtureNames(['torch', 'safetensors', 'npz', 'checkpoint', 'saved-model', 'tfjs']))(
  '%s',
  (path) => {
    it('has statistics of every tensor that a recurrent layer is made of, those of its own numbers', async () => {
      const { described, ranges } = await taken(path);
      expect(described.filter(({ gates }) => gates === null).map(({ name }) => name)).toEqual([]);
      if (OTHERWISE.test(path)) return;
      for (const { name, shape, gates } of described) {
        const alike = ranges.filter((range) => range.name === name && String(range.shape) === String(shape));
        expect(alike.map(({ min, max }) => [min, max])).toContainEqual(rangeOf(gates));
      }
    });
  },
);

it('describes weights that were measured as they were read as those that are kept, to the last bit', async () => {
  let count = 0;
  for (const path of folderFixtureNames(['torch', 'safetensors', 'npz'])) {
    const fixture = loadFolderFixture(path);
    const measured: MeasuredWeights = new Map();
    const described = describeModel(await readFolderModel(fixture, null, measured), measured);
    expect(described, path).toEqual(describeModel(await readFolderModel(fixture)));
    count += measured.size;
  }
  // Two matrices of each cell at least.
  expect(count).toBeGreaterThan(80);
});

describe('a Bidirectional layer', () => {
  it('of two kinds of cell tells both', async () => {
    const model = await readFolderModel(loadFolderFixture('keras/keras3-bidirectional-unlike-kinds'));
    const layer = describeModel(model).layers.find(({ kind }) => kind !== null)!;
    expect([layer.kind, layer.backward?.kind]).toEqual(['LSTM', 'GRU']);
  });

  it('of two cells that are alike tells one', async () => {
    const model = await readFolderModel(loadFolderFixture('keras/keras3-bidirectional-concat'));
    expect(describeModel(model).layers.find(({ kind }) => kind !== null)!.backward).toBeNull();
  });
});
