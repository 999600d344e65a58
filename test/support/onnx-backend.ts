/** The backend cases of the ONNX project: their recorded weights put into the model as initializers. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RealTensor } from '../../src/core/tensor';
import { memorySource } from '../../src/readers/byte-source';
import { readFields, readText } from '../../src/readers/containers/protobuf';
import { readOnnxTensor, storeOnnxTensor } from '../../src/readers/dialects/onnx/tensors';
import type { FormatOptions } from '../../src/readers/reading';

const FOLDER = fileURLToPath(new URL('../fixtures/onnx-backend', import.meta.url));
const [GRAPH, INITIALIZER, INPUT, TENSOR_NAME] = [7, 5, 11, 8];

/** One case. */
export interface BackendCase {
  readonly model: Buffer;
  /** The file as the project has it: every weight an input. */
  readonly bare: Buffer;
  readonly x: RealTensor;
  readonly outputs: ReadonlyMap<string, RealTensor>;
}

/** Names of all cases. */
export function backendCaseNames(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.startsWith('test_'))
    .sort();
}

/** A case by name; `outputs` by the names of the graph's outputs. */
export async function loadBackendCase(name: string): Promise<BackendCase> {
  const bare = readFileSync(join(FOLDER, name, 'model.onnx'));
  const recorded = (kind: string, index: number): Buffer =>
    readFileSync(join(FOLDER, name, 'test_data_set_0', `${kind}_${String(index)}.pb`));
  const [model, inputs, outputs]: [Buffer[], string[], string[]] = [[], [], []];
  for (const field of readFields(memorySource(bare), name)) {
    if (field.type === 'varint') model.push(varint(field.number << 3), varint(Number(field.value)));
    if (field.type !== 'bytes') continue;
    const parts: Buffer[] = [Buffer.from(field.source.read(0, field.source.size))];
    if (field.number === GRAPH) {
      for (const part of readFields(field.source, name)) {
        if (part.type !== 'bytes' || part.number < INPUT || part.number > INPUT + 1) continue;
        const [first] = readFields(part.source, name);
        if (first?.type === 'bytes') (part.number === INPUT ? inputs : outputs).push(readText(first.source, name));
      }
      for (const [index, input] of inputs.entries()) {
        if (index === 0) continue;
        const named = Buffer.concat([recorded('input', index), message(TENSOR_NAME, Buffer.from(input))]);
        parts.push(message(INITIALIZER, named));
      }
    }
    model.push(message(field.number, Buffer.concat(parts)));
  }
  const results = outputs.map(async (output, index) => [output, await tensorOf(recorded('output', index))] as const);
  return {
    model: Buffer.concat(model),
    bare,
    x: await tensorOf(recorded('input', 0)),
    outputs: new Map(await Promise.all(results)),
  };
}

function tensorOf(bytes: Buffer): Promise<RealTensor> {
  return storeOnnxTensor(
    readOnnxTensor(memorySource(bytes), { entry: () => undefined, object: () => undefined }),
    'recorded',
    {} as FormatOptions,
  ).read();
}

function message(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}
