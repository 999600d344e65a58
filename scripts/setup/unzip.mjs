/**
 * Takes named files out of a zip archive (a Python wheel is one), with Node's own zlib, as a stream: a part may be larger than memory
 * should hold. Each part's CRC-32 is checked. Zip64 is not read: no wheel in use needs it.
 */
import { createReadStream, createWriteStream, mkdirSync, openSync, readSync, closeSync, fstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 65535;

/**
 * The entries of a zip archive by name.
 *
 * @param {string} archive path of the archive
 * @returns {Map<string, { method: number, crc: number, packedBytes: number, bytes: number, offset: number }>}
 */
export function listZip(archive) {
  const file = openSync(archive, 'r');
  try {
    const size = fstatSync(file).size;
    const tail = readAt(file, Math.max(0, size - END_BYTES - MAX_COMMENT_BYTES), size);
    let end = tail.length - END_BYTES;
    while (end >= 0 && tail.readUInt32LE(end) !== END_SIGNATURE) end -= 1;
    if (end < 0) throw new Error(`${archive} is no zip archive`);
    const start = tail.readUInt32LE(end + 16);
    const directory = readAt(file, start, start + tail.readUInt32LE(end + 12));
    const entries = new Map();
    for (let at = 0; at + 46 <= directory.length;) {
      const nameBytes = directory.readUInt16LE(at + 28);
      const name = directory.toString('utf8', at + 46, at + 46 + nameBytes);
      const header = readAt(file, directory.readUInt32LE(at + 42), directory.readUInt32LE(at + 42) + 30);
      entries.set(name, {
        method: directory.readUInt16LE(at + 10),
        crc: directory.readUInt32LE(at + 16),
        packedBytes: directory.readUInt32LE(at + 20),
        bytes: directory.readUInt32LE(at + 24),
        offset: directory.readUInt32LE(at + 42) + 30 + header.readUInt16LE(26) + header.readUInt16LE(28),
      });
      at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    }
    return entries;
  } finally {
    closeSync(file);
  }
}

/**
 * Writes one entry of a zip archive to a file.
 *
 * @param {string} archive path of the archive
 * @param {{ method: number, crc: number, packedBytes: number, bytes: number, offset: number }} entry of {@link listZip}
 * @param {string} to the file to write; its folder is made
 * @throws Error where the stored CRC-32 or size does not fit, or the entry is packed by another method than deflate
 */
export async function extractEntry(archive, entry, to) {
  if (entry.method !== 0 && entry.method !== 8) throw new Error(`packing method ${entry.method} is not read`);
  mkdirSync(dirname(to), { recursive: true });
  let crc = 0;
  let bytes = 0;
  const check = new Transform({
    transform(chunk, _encoding, next) {
      crc = crc32(chunk, crc);
      bytes += chunk.length;
      next(null, chunk);
    },
  });
  const packed = createReadStream(archive, {
    start: entry.offset,
    end: entry.offset + entry.packedBytes - 1,
    highWaterMark: 1 << 20,
  });
  const stages =
    entry.packedBytes === 0 ? [] : entry.method === 8 ? [packed, createInflateRaw({ chunkSize: 1 << 20 })] : [packed];
  if (stages.length > 0) await pipeline(...stages, check, createWriteStream(to));
  else createWriteStream(to).end();
  if (crc !== entry.crc || bytes !== entry.bytes)
    throw new Error(`${to} came out of ${archive} damaged (CRC-32 or size)`);
}

/** The bytes [from, to) of an open file. */
function readAt(file, from, to) {
  const buffer = Buffer.alloc(to - from);
  let filled = 0;
  while (filled < buffer.length) {
    const got = readSync(file, buffer, filled, buffer.length - filled, from + filled);
    if (got === 0) throw new Error('the zip archive ends early');
    filled += got;
  }
  return buffer;
}
