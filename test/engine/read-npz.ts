/** Reads the `.npz` files of the fixtures: NumPy's own, stored or deflated, little-endian, C order. */
import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

/** An array of a fixture. */
export interface FixtureArray {
  readonly shape: readonly number[];
  readonly data: Float64Array | Int32Array;
}

/** The arrays of a file by name. */
export function readNpzFile(path: string): ReadonlyMap<string, FixtureArray> {
  const bytes = readFileSync(path);
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  const arrays = new Map<string, FixtureArray>();
  let at = bytes.readUInt32LE(end + 16);
  for (let entry = 0; entry < bytes.readUInt16LE(end + 10); entry++) {
    const [method, size] = [bytes.readUInt16LE(at + 10), bytes.readUInt32LE(at + 20)];
    const nameLength = bytes.readUInt16LE(at + 28);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    const local = bytes.readUInt32LE(at + 42);
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const stored = bytes.subarray(start, start + size);
    arrays.set(name.replace(/\.npy$/, ''), readNpy(method === 0 ? stored : inflateRawSync(stored)));
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return arrays;
}

function readNpy(bytes: Buffer): FixtureArray {
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? '')
    .split(',')
    .filter((size) => size.trim())
    .map(Number);
  const kind = /'descr': '[<|]([a-z]\d)'/.exec(header)?.[1];
  const buffer = Uint8Array.from(bytes.subarray(start)).buffer;
  switch (kind) {
    case 'f8':
      return { shape, data: new Float64Array(buffer) };
    case 'f4':
      return { shape, data: Float64Array.from(new Float32Array(buffer)) };
    case 'i4':
      return { shape, data: new Int32Array(buffer) };
    case 'i8':
      return { shape, data: Int32Array.from(new BigInt64Array(buffer), Number) };
    case 'b1':
    case 'u1':
      return { shape, data: Int32Array.from(new Uint8Array(buffer)) };
    default:
      throw new Error(`array of kind ${kind}`);
  }
}
