/**
 * Deflated bytes, whole or their beginning; how large they may become was held against its limits before.
 */
import { promises } from 'node:stream';
import { constants, createInflateRaw, inflateRawSync } from 'node:zlib';
import { TempogradError } from '../../core/errors';
import type { ByteSource } from '../byte-source';

/** Read and inflated at a time. */
const PIECE_BYTES = 1 << 20;

/** So many bytes that are not compressible take a little more room when deflated. */
const DEFLATE_SLACK_BYTES = 1024;

/**
 * The first bytes, as many as are wanted and there.
 *
 * @param stored - What is deflated.
 * @param length - How many are wanted.
 * @param name - The entry's name, for messages.
 * @throws TempogradError `reader/corrupt` when they cannot be inflated.
 */
export function inflateHead(stored: ByteSource, length: number, name: string): Uint8Array {
  const start = stored.read(0, Math.min(stored.size, length + DEFLATE_SLACK_BYTES));
  try {
    return inflateRawSync(start, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, length);
  } catch (cause) {
    throw corrupt(`Entry ${name} cannot be inflated`, { name }, cause);
  }
}

/**
 * All bytes, straight into an array of their size, so that they are never in memory twice.
 *
 * @param stored - What is deflated.
 * @param expected - Bytes that it must become.
 * @param name - The entry's name, for messages.
 * @throws TempogradError `reader/corrupt` when it becomes anything else.
 */
export async function inflate(stored: ByteSource, expected: number, name: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(expected);
  let length = 0;
  const collect = async (pieces: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const piece of pieces) {
      if (length + piece.length > expected) throw tooLong(name, expected);
      bytes.set(piece, length);
      length += piece.length;
    }
  };
  try {
    await promises.pipeline(piecesOf(stored), createInflateRaw({ chunkSize: PIECE_BYTES }), collect);
  } catch (cause) {
    if (cause instanceof TempogradError) throw cause;
    throw corrupt(`Entry ${name} cannot be inflated to the ${String(expected)} bytes it declares`, { name }, cause);
  }
  if (length === expected) return bytes;
  throw corrupt(`Entry ${name} inflates to ${String(length)} bytes, its directory says ${String(expected)}`, {
    name,
    expected,
    actual: length,
  });
}

function* piecesOf(source: ByteSource): Generator<Uint8Array> {
  for (let offset = 0; offset < source.size; offset += PIECE_BYTES) {
    yield source.read(offset, Math.min(PIECE_BYTES, source.size - offset));
  }
}

function tooLong(name: string, expected: number): TempogradError {
  return corrupt(`Entry ${name} cannot be inflated to the ${String(expected)} bytes it declares`, { name });
}

function corrupt(message: string, details: Record<string, unknown>, cause?: unknown): TempogradError {
  return new TempogradError('reader/corrupt', message, cause === undefined ? { details } : { details, cause });
}
