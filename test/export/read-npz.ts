/** A second, independent reading of stored `.npz` files, for tests. */
export interface NpyArray {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Int32Array;
}

/** The arrays of a stored `.npz`, by walking its local headers. */
export function readNpz(bytes: Buffer): Map<string, NpyArray> {
  const arrays = new Map<string, NpyArray>();
  let position = 0;
  while (bytes.readUInt32LE(position) === 0x04034b50) {
    const nameLength = bytes.readUInt16LE(position + 26);
    const name = bytes.toString('utf8', position + 30, position + 30 + nameLength).replace(/\.npy$/, '');
    const size = Number(bytes.readBigUInt64LE(position + 30 + nameLength + 4));
    const start = position + 30 + nameLength + bytes.readUInt16LE(position + 28);
    arrays.set(name, readNpy(bytes.subarray(start, start + size)));
    position = start + size;
  }
  return arrays;
}

function readNpy(bytes: Buffer): NpyArray {
  const headerEnd = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, headerEnd);
  const shape = /'shape': \(([^)]*)\)/.exec(header)![1]!.split(',').filter((part) => part.trim()).map(Number);
  const data = Uint8Array.from(bytes.subarray(headerEnd)).buffer;
  if (header.includes('<f4')) return { shape, data: new Float32Array(data) };
  return { shape, data: header.includes('<f8') ? new Float64Array(data) : new Int32Array(data) };
}
