/**
 * Bytes by range, synchronous and bounds-checked: all that a reader knows of a file.
 *
 * The host gives a source over an open file; nothing here knows of paths. Synchronous because HDF5 asks for bytes in
 * the middle of a call and cannot wait.
 */
import { TempogradError } from '../core/errors';

/** A file, or a part of one. */
export interface ByteSource {
  /** Bytes. */
  readonly size: number;
  /**
   * The bytes from `offset`; the receiver must not write into them.
   *
   * @throws TempogradError `reader/truncated` when the range leaves the file or the file has shrunk.
   */
  read(offset: number, length: number): Uint8Array;
}

/**
 * Nothing when the range lies inside; used by every source.
 *
 * @param size - Size of the source, bytes.
 * @param offset - First byte.
 * @param length - Number of bytes.
 * @throws TempogradError `reader/truncated` when it does not.
 */
export function checkRange(size: number, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (whole && offset >= 0 && length >= 0 && offset + length <= size) return;
  throw new TempogradError(
    'reader/truncated',
    `${String(length)} bytes are wanted at offset ${String(offset)}, but the file ends at ${String(size)}`,
    { details: { offset, length, size } },
  );
}

/**
 * A source over bytes in memory.
 *
 * @param bytes - The bytes, used as they are.
 */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read(offset, length) {
      checkRange(bytes.length, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
}

/**
 * A source over a part of another, read on demand.
 *
 * @param source - The whole.
 * @param start - First byte of the part.
 * @param size - Bytes of the part.
 * @throws TempogradError `reader/truncated` when the part leaves the whole.
 */
export function sliceSource(source: ByteSource, start: number, size: number): ByteSource {
  checkRange(source.size, start, size);
  return {
    size,
    read(offset, length) {
      checkRange(size, offset, length);
      return source.read(start + offset, length);
    },
  };
}
