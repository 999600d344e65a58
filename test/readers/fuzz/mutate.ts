/**
 * Seeded changes to model files: half of them blind, half made with knowledge of the format.
 */
import type { RandomSource } from '../../../src/core/random';
import { memorySource } from '../../../src/readers/byte-source';
import { openZip } from '../../../src/readers/containers/zip';
import { DEFAULT_LIMITS } from '../../../src/readers/limits';
import { writeZip } from '../containers/write-zip';

/** A whole number below `limit`. */
function below(random: RandomSource, limit: number): number {
  return Math.floor(random.nextUniform() * limit);
}

function pick<T>(random: RandomSource, values: readonly T[]): T {
  return values[below(random, values.length)]!;
}

const NUMBERS = [0, 1, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, 0x80000000, 8, 512];

/** The bytes with a few places changed, cut, doubled or blanked. */
export function mutateBytes(bytes: Uint8Array, random: RandomSource, from = 0, to = bytes.length): Uint8Array {
  const copy = Buffer.from(bytes);
  const start = from + below(random, Math.max(1, to - from));
  const length = Math.min(1 + below(random, 64), copy.length - start);
  switch (below(random, 6)) {
    case 0:
      for (let count = 1 + below(random, 8); count > 0; count--) {
        copy[from + below(random, Math.max(1, to - from))] = below(random, 256);
      }
      return copy;
    case 1:
      if (start + 4 <= copy.length) copy.writeUInt32LE(pick(random, NUMBERS), start);
      return copy;
    case 2:
      return copy.subarray(0, start);
    case 3:
      copy.fill(pick(random, [0, 0xff]), start, start + length);
      return copy;
    case 4:
      return Buffer.concat([copy.subarray(0, start), copy.subarray(start, start + length), copy.subarray(start)]);
    default:
      copy[start] = (copy[start] ?? 0) ^ (1 << below(random, 8));
      return copy;
  }
}

const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  2 ** 53,
  '',
  '../../etc/passwd',
  '__proto__',
  'LSTM',
  'Lambda',
  'hard_sigmoid',
  [],
  {},
  [[[[[[]]]]]],
  ['memory', 0, 0],
  [['memory', 7, -3, {}]],
  { class_name: 'LSTM', config: {} },
  'x'.repeat(10_000),
];

/** A JSON text with one value replaced, removed, doubled or exchanged. */
export function mutateJson(text: string, random: RandomSource): string {
  const root = JSON.parse(text) as unknown;
  const places: { readonly parent: Record<string, unknown> | unknown[]; readonly key: string }[] = [];
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push({ parent: value as Record<string, unknown>, key });
      collect((value as Record<string, unknown>)[key]);
    }
  };
  collect(root);
  for (let count = 1 + below(random, 3); count > 0; count--) {
    const { parent, key } = pick(random, places);
    const record = parent as Record<string, unknown>;
    const choice = below(random, 5);
    if (choice === 0 && Array.isArray(parent)) parent.splice(Number(key), 1);
    else if (choice === 0) delete record[key];
    else if (choice === 1 && Array.isArray(parent)) parent.push(structuredClone(parent[Number(key)]));
    else if (choice === 2)
      record[key] = structuredClone(
        pick(
          random,
          places.map((place) => (place.parent as never)[place.key] as unknown),
        ),
      );
    else record[key] = structuredClone(pick(random, VALUES));
  }
  return JSON.stringify(root);
}

/** A `.keras` file with its configuration or its weights changed, and checksums that are right again. */
export async function mutateKeras(bytes: Uint8Array, random: RandomSource): Promise<Uint8Array> {
  const archive = await openZip(memorySource(bytes), DEFAULT_LIMITS);
  const target = pick(random, ['config.json', 'config.json', 'model.weights.h5', 'metadata.json']);
  const entries = [];
  for (const name of archive.names) {
    const content = await archive.read(name);
    if (name !== target) entries.push({ name, bytes: content });
    else if (name === 'model.weights.h5') entries.push({ name, bytes: mutateHdf5(content, random) });
    else entries.push({ name, bytes: Buffer.from(mutateJson(Buffer.from(content).toString('utf8'), random)) });
  }
  return writeZip(entries);
}

const HDF5_PARTS = ['TREE', 'HEAP', 'SNOD', 'GCOL', 'OHDR', 'FRHP', 'BTHD'];

/** An HDF5 file changed in its directory, or in the configuration that it holds. */
export function mutateHdf5(bytes: Uint8Array, random: RandomSource): Uint8Array {
  const copy = Buffer.from(bytes);
  const start = copy.indexOf('{"class_name"');
  if (start >= 0 && below(random, 2) === 0) {
    const end = copy.indexOf(0, start);
    const changed = Buffer.from(mutateJson(copy.toString('utf8', start, end), random));
    copy.fill(0x20, start, end);
    changed.copy(copy, start, 0, Math.min(changed.length, end - start));
    return copy;
  }
  const places = HDF5_PARTS.flatMap((part) => {
    const found: number[] = [];
    for (let at = copy.indexOf(part); at >= 0; at = copy.indexOf(part, at + 1)) found.push(at);
    return found;
  });
  const place = below(random, 4) === 0 || places.length === 0 ? 0 : pick(random, places);
  return mutateBytes(copy, random, place, Math.min(copy.length, place + 96));
}
