import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { combineCrc32, PiecewiseCrc32 } from '../../src/export/crc32';
import { npyHeader } from '../../src/export/npy-header';
import { NpzWriter } from '../../src/export/npz-writer';
import { readNpz } from '../support/read-npz';
import { makeMemorySink } from './memory-sink';

/** Members of a stored archive, by walking its local headers (zip64 sizes in the extra field). */
function readStored(bytes: Buffer): Map<string, Buffer> {
  const members = new Map<string, Buffer>();
  let position = 0;
  while (bytes.readUInt32LE(position) === 0x04034b50) {
    const nameLength = bytes.readUInt16LE(position + 26);
    const extraLength = bytes.readUInt16LE(position + 28);
    const name = bytes.toString('utf8', position + 30, position + 30 + nameLength);
    const size = Number(bytes.readBigUInt64LE(position + 30 + nameLength + 4));
    const start = position + 30 + nameLength + extraLength;
    const data = bytes.subarray(start, start + size);
    expect(bytes.readUInt32LE(position + 14), `checksum of ${name}`).toBe(crc32(data));
    members.set(name, data);
    position = start + size;
  }
  return members;
}

describe('combineCrc32', () => {
  it.each([1, 2, 7, 64, 1000, 65_537])('equals the checksum of the whole for a second piece of %i bytes', (length) => {
    const whole = Buffer.from(Array.from({ length: 100 + length }, (_, index) => (index * 31 + 7) & 255));
    const combined = combineCrc32(crc32(whole.subarray(0, 100)), crc32(whole.subarray(100)), length);
    expect(combined).toBe(crc32(whole));
  });

  it('refuses a hole and an overlap', () => {
    const hole = new PiecewiseCrc32();
    hole.add(0, new Uint8Array(4));
    hole.add(5, new Uint8Array(4));
    expect(() => hole.total(9)).toThrow('byte 4 was not written once');
    const short = new PiecewiseCrc32();
    short.add(0, new Uint8Array(4));
    expect(() => short.total(8)).toThrow('4 of 8 bytes were written');
  });
});

describe('NpzWriter', () => {
  it('writes arrays that arrive backwards, converts types, and leaves the same bytes as one that arrives in order', async () => {
    const declarations = [
      { name: 'h', type: 'float32', shape: [2, 3] },
      { name: 'lognorm', type: 'float64', shape: [2] },
      { name: 'scale', type: 'int32', shape: [1] },
    ] as const;
    const backwards = makeMemorySink();
    const writer = new NpzWriter(backwards, declarations);
    writer.write('scale', 0, [-7]);
    writer.write('h', 3, Float32Array.from([4, 5, 6]));
    writer.write('h', 0, Float64Array.from([1, 2, 3]));
    writer.write('lognorm', 1, [-Infinity]);
    writer.write('lognorm', 0, [-2000.5]);
    await writer.close();
    expect(backwards.state).toBe('committed');

    const members = readStored(backwards.bytes());
    const header = npyHeader('float32', [2, 3]);
    const data = members.get('h.npy')!.subarray(header.length);
    expect([0, 1, 2, 3, 4, 5].map((index) => data.readFloatLE(4 * index))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(members.get('lognorm.npy')!.readDoubleLE(npyHeader('float64', [2]).length)).toBe(-2000.5);
    expect(members.get('scale.npy')!.readInt32LE(npyHeader('int32', [1]).length)).toBe(-7);

    const inOrder = makeMemorySink();
    const second = new NpzWriter(inOrder, declarations);
    second.write('h', 0, [1, 2, 3, 4, 5, 6]);
    second.write('lognorm', 0, [-2000.5, -Infinity]);
    second.write('scale', 0, [-7]);
    await second.close();
    expect(inOrder.bytes().equals(backwards.bytes())).toBe(true);
  });

  it('takes arrays whose length shows only as they grow, and others behind them', async () => {
    const sink = makeMemorySink();
    const writer = new NpzWriter(sink, [{ name: 'h', type: 'float32', shape: [1] }]);
    writer.append('values', 'float64', [1, 2]);
    writer.append('values', 'float64', Float64Array.of(3));
    writer.declare({ name: 'text', type: 'uint8', shape: [2] });
    expect(() => writer.append('values', 'float64', [4])).toThrow('is not the last one');
    writer.write('text', 0, [104, 105]);
    writer.write('h', 0, [7]);
    await writer.close();
    const members = readStored(sink.bytes());
    const arrays = readNpz(sink.bytes());
    expect([...members.keys()]).toEqual(['h.npy', 'values.npy', 'text.npy']);
    expect(arrays.get('values')!.shape).toEqual([3]);
    expect([...arrays.get('values')!.data]).toEqual([1, 2, 3]);
    expect(members.get('text.npy')!.subarray(-2).toString()).toBe('hi');
  });

  it('gives the same bytes for an array that is filled first and written over in any pieces', async () => {
    const declarations = [{ name: 'norms', type: 'float64', shape: [5] }] as const;
    const [scattered, plain] = [makeMemorySink(), makeMemorySink()];
    const first = new NpzWriter(scattered, declarations);
    first.scatter('norms', -Infinity);
    first.write('norms', 3, [3, 9]);
    first.write('norms', 1, [1]);
    first.write('norms', 4, [4]);
    await first.close();
    const second = new NpzWriter(plain, declarations);
    second.write('norms', 0, [-Infinity, 1, -Infinity, 3, 4]);
    await second.close();
    expect(scattered.bytes().equals(plain.bytes())).toBe(true);
  });

  it('refuses to close while elements are missing', async () => {
    const sink = makeMemorySink();
    const writer = new NpzWriter(sink, [{ name: 'h', type: 'float32', shape: [2] }]);
    writer.write('h', 0, [1]);
    await expect(writer.close()).rejects.toThrow('were written');
    expect(sink.state).toBe('open');
  });
});
