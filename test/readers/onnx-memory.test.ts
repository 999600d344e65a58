/** Of a large ONNX file no more is read than the recurrent layers and what they stand on. */
import { expect, it } from 'vitest';
import { isRecurrent } from '../../src/core/model';
import { checkRange, memorySource, type ByteSource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';

/** Bytes, or so many zeros that are made only when they are read. */
type Part = Uint8Array | number;

const MIB = 2 ** 20;
const SIDE = 4096;
const UNITS = 8;

const sizeOf = (parts: readonly Part[]): number =>
  parts.reduce<number>((sum, part) => sum + (typeof part === 'number' ? part : part.length), 0);

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value & 0x7f) | 0x80);
  return Uint8Array.of(...bytes, value);
}

function field(number: number, parts: readonly Part[]): readonly Part[] {
  return [varint(number * 8 + 2), varint(sizeOf(parts)), ...parts];
}

const text = (number: number, value: string): readonly Part[] => field(number, [Buffer.from(value)]);
const integer = (number: number, value: number): readonly Part[] => [varint(number * 8), varint(value)];

function node(operator: string, inputs: readonly string[], output: string): readonly Part[] {
  return field(1, [...inputs.flatMap((name) => text(1, name)), ...text(2, output), ...text(4, operator)]);
}

/** A tensor of float32 zeros; in the file, or at a place of a file beside it. */
function zeros(name: string, shape: readonly number[], place: string | null): readonly Part[] {
  const bytes = 4 * shape.reduce((product, size) => product * size, 1);
  const entry = (key: string, value: string): readonly Part[] => field(13, [...text(1, key), ...text(2, value)]);
  const data = place === null ? field(9, [bytes]) : [...entry('location', place), ...integer(14, 1)];
  return field(5, [...shape.flatMap((size) => integer(1, size)), ...integer(2, 1), ...text(8, name), ...data]);
}

/** An LSTM, and six matrices of 64 MiB above it. */
function largeModel(place: string | null): readonly Part[] {
  const above = Array.from({ length: 6 }, (_, index) => index);
  return [
    ...integer(1, 9),
    ...field(7, [
      ...node('LSTM', ['X', 'W', 'R'], 'y0'),
      ...above.flatMap((index) => node('MatMul', [`y${index}`, `g${index}`], `y${index + 1}`)),
      ...zeros('W', [1, 4 * UNITS, 3], null),
      ...zeros('R', [1, 4 * UNITS, UNITS], null),
      ...above.flatMap((index) => zeros(`g${index}`, [SIDE, SIDE], place)),
      ...text(11, '\n\u0001X'),
    ]),
    ...field(8, integer(2, 18)),
  ];
}

/** Counts what is read. */
class CountingSource implements ByteSource {
  readonly size: number;
  readBytes = 0;

  constructor(private readonly parts: readonly Part[]) {
    this.size = sizeOf(parts);
  }

  read(offset: number, length: number): Uint8Array {
    checkRange(this.size, offset, length);
    this.readBytes += length;
    const bytes = new Uint8Array(length);
    let start = 0;
    for (const part of this.parts) {
      const size = typeof part === 'number' ? part : part.length;
      const [from, to] = [Math.max(offset, start), Math.min(offset + length, start + size)];
      if (from < to && typeof part !== 'number') bytes.set(part.subarray(from - start, to - start), from - offset);
      start += size;
    }
    return bytes;
  }
}

it.each([
  ['in the file', null],
  ['beside it', 'weights.bin'],
])('matrices above a cell are not read: %s', async (_, place) => {
  const source = new CountingSource(largeModel(place));
  const opened: string[] = [];
  const model = await readModel(source, 'model.onnx', {
    openBeside: (path) => {
      opened.push(path);
      return memorySource(new Uint8Array(0));
    },
  });
  if (place === null) expect(source.size).toBeGreaterThan(384 * MIB);
  expect(model.layers.filter(isRecurrent).map(({ operation }) => operation.forward?.units)).toEqual([UNITS]);
  expect(opened).toEqual([]);
  expect(source.readBytes).toBeLessThan(4 * MIB);
});
