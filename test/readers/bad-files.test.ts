import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import { isRecurrent } from '../../src/core/model';
import { memorySource } from '../../src/readers/byte-source';
import { describeModel } from '../../src/readers/describe-model';
import { readInput } from '../../src/readers/read-input';
import { readModel } from '../../src/readers/read-model';

/** One row of `fixtures/bad/expected.json`. */
interface Expectation {
  readonly kind: 'model' | 'input';
  /** null where the file opens. */
  readonly code: string | null;
  /** Other codes that say the same as truly. */
  readonly also?: readonly string[];
  readonly note: string;
  /** Recurrent layers that can be analysed. */
  readonly layers?: readonly string[];
  readonly unsupported?: readonly string[];
  readonly warning?: string;
  /** A good fixture with the same numbers. */
  readonly same?: string;
  readonly steps?: number;
  readonly batch?: number;
}

const FOLDER = 'test/fixtures/bad';
const TABLE = JSON.parse(readFileSync(`${FOLDER}/expected.json`, 'utf8')) as Record<string, Expectation>;

/** What only the model can tell: the reader gives the numbers as they are. */
const LATER = new Set(['input/shape-mismatch']);

async function codeOf(task: () => Promise<unknown>): Promise<string | null> {
  try {
    await task();
    return null;
  } catch (error) {
    if (!(error instanceof TempogradError)) throw error;
    expect(error.message).not.toBe('');
    expect(error.remedy).not.toBe('');
    return error.code;
  }
}

function sourceOf(name: string): ReturnType<typeof memorySource> {
  return memorySource(readFileSync(`${FOLDER}/${name}`));
}

const rows = Object.entries(TABLE);

describe('bad model files', () => {
  it.each(rows.filter(([, { kind }]) => kind === 'model'))('%s', async (name, expected) => {
    const code = await codeOf(() => readModel(sourceOf(name), name));
    expect([expected.code, ...(expected.also ?? [])]).toContain(code);
    if (code !== null) return;
    const model = structuredClone(await readModel(sourceOf(name), name));
    if (expected.layers) expect(model.layers.filter(isRecurrent).map((layer) => layer.name)).toEqual(expected.layers);
    const listed = describeModel(model).layers;
    for (const layer of expected.unsupported ?? []) {
      expect(listed.find((found) => found.name === layer)).toMatchObject({
        supported: false,
        reason: expect.stringMatching(/\.$/),
      });
    }
    if (expected.warning) expect(model.warnings.map((warning) => warning.code)).toContain(expected.warning);
    if (expected.same) {
      const good = `test/fixtures/${expected.same}/model.h5`;
      const cells = (await readModel(memorySource(readFileSync(good)), good)).layers.filter(isRecurrent);
      const own = model.layers.filter(isRecurrent);
      expect(own.map(({ operation }) => Array.from(operation.forward!.kernel.data))).toEqual(
        cells.map(({ operation }) => Array.from(operation.forward!.kernel.data)),
      );
    }
    expect(Object.prototype).not.toHaveProperty('polluted');
  });
});

describe('bad input files', () => {
  it.each(rows.filter(([, { kind }]) => kind === 'input'))('%s', async (name, expected) => {
    const code = await codeOf(() => readInput(sourceOf(name), name));
    if (code === null && expected.code === 'input/not-finite' && name.endsWith('.npy')) return;
    if (code === null && LATER.has(String(expected.code))) return;
    expect([expected.code, ...(expected.also ?? [])]).toContain(code);
    if (code !== null) return;
    const { tensor } = await readInput(sourceOf(name), name);
    const [steps, batch] = tensor.shape.length === 3 ? [tensor.shape[1], tensor.shape[0]] : [tensor.shape[0], 1];
    expect([steps, batch]).toEqual([expected.steps, expected.batch]);
  });
});
