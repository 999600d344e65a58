/** Bad files of PyTorch, pickle and safetensors: each with its code, and nothing of them run. */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import { isRecurrent } from '../../src/core/model';
import { openFileSource } from '../../src/host/file-source';
import { neighboursOf } from '../../src/host/open-beside';
import { describeModel } from '../../src/readers/describe-model';
import { readModel } from '../../src/readers/read-model';

/** One row of `fixtures/bad-torch/expected.json`. */
interface Expectation {
  /** null where the file opens. */
  readonly code: string | null;
  readonly note: string;
  /** What the message, or a warning, holds. */
  readonly says?: string;
  /** Recurrent layers that can be analysed. */
  readonly layers?: readonly string[];
}

const FOLDER = 'test/fixtures/bad-torch';
const TABLE = JSON.parse(readFileSync(`${FOLDER}/expected.json`, 'utf8')) as Record<string, Expectation>;

interface Outcome {
  readonly code: string | null;
  readonly texts: string;
  readonly layers: readonly string[];
}

async function open(path: string): Promise<Outcome> {
  const source = openFileSource(path);
  const neighbours = neighboursOf(path);
  try {
    const openBeside = (beside: string): ReturnType<typeof neighbours.open> => neighbours.open(beside);
    const model = structuredClone(await readModel(source, basename(path), { openBeside }));
    describeModel(model);
    const texts = model.warnings.map(({ message }) => message).join(' ');
    return { code: null, texts, layers: model.layers.filter(isRecurrent).map(({ name }) => name) };
  } catch (error) {
    if (!(error instanceof TempogradError)) throw error;
    expect(error.remedy).not.toBe('');
    return { code: error.code, texts: error.message, layers: [] };
  } finally {
    source.close();
    neighbours.close();
  }
}

describe('bad files of PyTorch', () => {
  it.each(Object.entries(TABLE))('%s', async (name, { code, says, layers }) => {
    const outcome = await open(`${FOLDER}/${name}`);
    expect(outcome.code, outcome.texts).toBe(code);
    if (says !== undefined) expect(outcome.texts).toContain(says);
    if (layers) expect(outcome.layers).toEqual(layers);
    expect(existsSync('was-run')).toBe(false);
    expect(Object.prototype).not.toHaveProperty('polluted');
  });
});
