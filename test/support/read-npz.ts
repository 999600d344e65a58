/** A second, independent reading of `.npz` files, for tests: directory, stored or deflated members, plain dtypes. */
import { inflateRawSync } from 'node:zlib';

/** An array of an archive. */
export interface NpyArray {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array;
}

/** The arrays of an `.npz`, in the order of its directory. */
export function readNpz(bytes: Buffer): Map<string, NpyArray> {
  const arrays = new Map<string, NpyArray>();
  let position = directoryStart(bytes);
  while (bytes.readUInt32LE(position) === 0x02014b50) {
    const nameLength = bytes.readUInt16LE(position + 28);
    const extraLength = bytes.readUInt16LE(position + 30);
    const name = bytes.toString('utf8', position + 46, position + 46 + nameLength).replace(/\.npy$/, '');
    let compressed = bytes.readUInt32LE(position + 20);
    let header = bytes.readUInt32LE(position + 42);
    if (header === 0xffffffff) {
      const extra = position + 46 + nameLength + 4;
      compressed = Number(bytes.readBigUInt64LE(extra + 8));
      header = Number(bytes.readBigUInt64LE(extra + 16));
    }
    const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    const stored = bytes.subarray(start, start + compressed);
    arrays.set(name, readNpy(bytes.readUInt16LE(position + 10) === 8 ? inflateRawSync(stored) : stored));
    position += 46 + nameLength + extraLength + bytes.readUInt16LE(position + 32);
  }
  return arrays;
}

function directoryStart(bytes: Buffer): number {
  const end = bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  const start = bytes.readUInt32LE(end + 16);
  if (start !== 0xffffffff) return start;
  const end64 = Number(bytes.readBigUInt64LE(end - 20 + 8));
  return Number(bytes.readBigUInt64LE(end64 + 48));
}

/** The array of an `.npy`. */
export function readNpy(bytes: Buffer): NpyArray {
  const headerEnd = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, headerEnd);
  const dtype = /'descr': '([^']+)'/.exec(header)![1]!;
  const shape = /'shape': \(([^)]*)\)/
    .exec(header)![1]!
    .split(',')
    .filter((part) => part.trim())
    .map(Number);
  const data = Uint8Array.from(bytes.subarray(headerEnd));
  switch (dtype) {
    case '<f4':
      return { shape, data: new Float32Array(data.buffer) };
    case '<f8':
      return { shape, data: new Float64Array(data.buffer) };
    case '<i4':
      return { shape, data: new Int32Array(data.buffer) };
    case '<i8':
      return { shape, data: Int32Array.from(new BigInt64Array(data.buffer), Number) };
    case '|u1':
    case '|b1':
      return { shape, data };
    default:
      throw new Error(`dtype ${dtype}`);
  }
}
