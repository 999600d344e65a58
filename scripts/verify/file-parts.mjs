/** Parts of model files, for files that are too large or too strange to be kept: ZIP archives and protocol buffers. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { crc32, deflateRawSync } from 'node:zlib';

/** An archive of entries that are made one at a time. */
export function writeZip(path, entries) {
  const file = openSync(path, 'w');
  const directory = [];
  let offset = 0;
  for (const { name, bytes, isDeflated } of entries) {
    const data = isDeflated ? deflateRawSync(bytes, { level: 1 }) : bytes;
    const fields = Buffer.alloc(26);
    for (const [at, value] of [
      [0, 20],
      [4, isDeflated ? 8 : 0],
      [8, 0x21],
    ])
      fields.writeUInt16LE(value, at);
    for (const [at, value] of [
      [10, crc32(bytes)],
      [14, data.length],
      [18, bytes.length],
    ])
      fields.writeUInt32LE(value, at);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name)]);
    const central = Buffer.alloc(46);
    central.write('PK\x01\x02');
    central.writeUInt16LE(20, 4);
    fields.copy(central, 6);
    central.writeUInt32LE(offset, 42);
    directory.push(Buffer.concat([central, Buffer.from(name)]));
    writeSync(file, local);
    writeSync(file, data);
    offset += local.length + data.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  writeSync(file, listed);
  writeSync(file, end);
  closeSync(file);
}

/** A whole number in four bytes, the lowest first. */
export function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest >= 128 ? (rest % 128) | 128 : rest);
    if (rest < 128) return Buffer.from(bytes);
  }
}

/** One field of a protobuf message: a number, or bytes. */
export function field(number, value) {
  if (typeof value === 'number') return Buffer.concat([varint(number * 8), varint(value)]);
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}
