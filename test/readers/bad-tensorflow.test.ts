import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import { openFileSource } from '../../src/host/file-source';
import { neighboursOf } from '../../src/host/open-beside';
import { readModel } from '../../src/readers/read-model';

/** One row of `fixtures/bad-tensorflow/expected.json`. */
interface Expectation {
  /** null where the file opens. */
  readonly code: string | null;
  readonly note: string;
  /** Recurrent layers that can be analysed. */
  readonly layers?: readonly string[];
  /** A good fixture's file with the same numbers. */
  readonly same?: string;
}

const FOLDER = 'test/fixtures/bad-tensorflow';
const TABLE = JSON.parse(readFileSync(`${FOLDER}/expected.json`, 'utf8')) as Record<string, Expectation>;

async function read(path: string): Promise<RecurrentModel> {
  const source = openFileSource(path);
  const neighbours = neighboursOf(path);
  try {
    return await readModel(source, basename(path), { openBeside: (beside) => neighbours.open(beside) });
  } finally {
    source.close();
    neighbours.close();
  }
}

function kernelsOf(model: RecurrentModel): readonly number[][] {
  return model.layers.filter(isRecurrent).map(({ operation }) => Array.from(operation.forward!.kernel.data));
}

describe('bad models of TensorFlow', () => {
  it.each(Object.entries(TABLE))('%s', async (name, { code, layers, same }) => {
    const result = await read(`${FOLDER}/${name}`).catch((error: unknown) => error);
    if (result instanceof Error && !(result instanceof TempogradError)) throw result;
    expect(result instanceof TempogradError ? result.code : null, String(result)).toBe(code);
    if (result instanceof TempogradError) return;
    const model = result as RecurrentModel;
    if (layers) expect(model.layers.filter(isRecurrent).map((layer) => layer.name)).toEqual(layers);
    if (same) expect(kernelsOf(model)).toEqual(kernelsOf(await read(`test/fixtures/${same}`)));
  });
});
