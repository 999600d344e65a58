import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import { openFileSource } from '../../src/host/file-source';
import { neighboursOf } from '../../src/host/open-beside';
import { memorySource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';

/** One row of `fixtures/bad-onnx-bytes/expected.json`. */
interface Expectation {
  /** null where the file opens. */
  readonly code: string | null;
  /** Other codes that are as true of the file. */
  readonly also?: readonly string[];
  readonly note: string;
  /** Recurrent layers that can be analysed. */
  readonly layers?: readonly string[];
  /** Layers listed with a reason. */
  readonly unsupported?: readonly string[];
  readonly warning?: string;
  /** Shape of the first input layer. */
  readonly input?: readonly (number | null)[];
}

const FOLDER = 'test/fixtures/bad-onnx-bytes';
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

async function codeOf(reading: Promise<RecurrentModel>): Promise<string | null> {
  const error: unknown = await reading.then(() => null).catch((failure: unknown) => failure);
  if (error === null) return null;
  if (error instanceof TempogradError) return error.code;
  throw error as Error;
}

describe('ONNX models written byte by byte', () => {
  it.each(Object.entries(TABLE))('%s', async (name, { code, also = [], layers, unsupported = [], warning, input }) => {
    const result = await read(`${FOLDER}/${name}/model.onnx`).catch((error: unknown) => error);
    if (result instanceof Error && !(result instanceof TempogradError)) throw result;
    expect([code, ...also], String(result)).toContain(result instanceof TempogradError ? result.code : null);
    if (result instanceof TempogradError) return;
    const model = result as RecurrentModel;
    if (layers) expect(model.layers.filter(isRecurrent).map((layer) => layer.name)).toEqual(layers);
    for (const layer of unsupported) {
      const operation = model.layers.find((known) => known.name === layer)?.operation;
      expect(operation).toMatchObject({
        kind: 'unsupported',
        reason: expect.stringMatching(/^(Layer|Tensor) .+\.$/) as string,
      });
    }
    if (input) expect(model.layers[model.inputs[0]!]?.operation).toMatchObject({ kind: 'input', shape: input });
    if (warning !== undefined) expect(model.warnings.map((known) => known.code)).toContain(warning);
  });
});

describe('links beside an ONNX model', () => {
  const model = readFileSync(`${FOLDER}/external-good/model.onnx`);
  const weights = readFileSync(`${FOLDER}/external-good/weights.bin`);
  let root = '';
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'tempograd-onnx-'));
    mkdirSync(join(root, 'inside'));
    writeFileSync(join(root, 'inside', 'model.onnx'), model);
    writeFileSync(join(root, 'secret.bin'), weights);
  });
  afterAll(() => rmSync(root, { recursive: true }));

  it.each([
    ['a symbolic link', symlinkSync],
    ['a hard link', linkSync],
  ])('%s in place of the weights is not followed', async (_, link) => {
    const place = join(root, 'inside', 'weights.bin');
    link(join(root, 'secret.bin'), place);
    expect(await codeOf(read(join(root, 'inside', 'model.onnx')))).toBe('reader/external-data-missing');
    rmSync(place);
    writeFileSync(place, weights);
    expect(await codeOf(read(join(root, 'inside', 'model.onnx')))).toBeNull();
    rmSync(place);
  });
});

/** A field of bytes. */
function block(field: number, data: Uint8Array): Buffer {
  let length = data.length;
  const head = [(field << 3) | 2];
  for (; length > 0x7f; length >>>= 7) head.push((length & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, length]), data]);
}

it('graphs 5000 deep end at the limit', async () => {
  let graph: Buffer = block(2, Buffer.from('g'));
  for (let depth = 0; depth < 5000; depth++) graph = block(1, block(5, block(6, graph)));
  const bytes = Buffer.concat([Buffer.from([8, 8]), block(8, Buffer.from([16, 17])), block(7, graph)]);
  expect(await codeOf(readModel(memorySource(bytes), 'deep.onnx'))).toBe('reader/limit-exceeded');
});
