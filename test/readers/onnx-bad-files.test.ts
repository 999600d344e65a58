import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import { openFileSource } from '../../src/host/file-source';
import { neighboursOf } from '../../src/host/open-beside';
import { memorySource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';

/** One row of `fixtures/bad-onnx/expected.json`. */
interface Expectation {
  /** null where the file opens. */
  readonly code: string | null;
  readonly note: string;
  /** Recurrent layers that can be analysed. */
  readonly layers?: readonly string[];
}

const FOLDER = 'test/fixtures/bad-onnx';
const TABLE = JSON.parse(readFileSync(`${FOLDER}/expected.json`, 'utf8')) as Record<string, Expectation>;

async function read(name: string): Promise<RecurrentModel> {
  const path = `${FOLDER}/${name}`;
  const source = openFileSource(path);
  const neighbours = neighboursOf(path);
  try {
    return await readModel(source, name, { openBeside: (beside) => neighbours.open(beside) });
  } finally {
    source.close();
    neighbours.close();
  }
}

describe('bad ONNX files', () => {
  it.each(Object.entries(TABLE))('%s', async (name, { code, layers }) => {
    const result = await read(name).catch((error: unknown) => error);
    if (result instanceof Error && !(result instanceof TempogradError)) throw result;
    expect(result instanceof TempogradError ? result.code : null, String(result)).toBe(code);
    if (result instanceof TempogradError) return;
    expect((result as RecurrentModel).layers.filter(isRecurrent).map((layer) => layer.name)).toEqual(layers);
  });
});

describe('any bytes', () => {
  it.each(['lstm-over-gru-both-ways', 'gru-exported', 'lstm-in-branch', 'functions-weights-inside', 'lstm-sparse'])(
    'changed in %s end in a model or an error of the list',
    async (name) => {
      const whole = readFileSync(`test/fixtures/onnx/${name}/model.onnx`);
      for (let index = 0; index < whole.length; index += 3) {
        const changed = Uint8Array.from(whole);
        changed[index] = (changed[index]! + 1 + (index % 200)) & 0xff;
        const result = await readModel(memorySource(changed), 'model.onnx').catch((error: unknown) => error);
        if (result instanceof Error && !(result instanceof TempogradError)) throw result;
      }
      expect(whole.length).toBeGreaterThan(500);
    },
  );
});
