/**
 * CRC-32 of pieces that are written out of order.
 *
 * An array of Jacobians is written block by block as it is computed, last timestep first; its checksum has to be that
 * of the whole. CRCs of pieces are combined by multiplying with powers of x in GF(2)[x].
 */
import { crc32 } from 'node:zlib';

const POLYNOMIAL = 0xedb88320;

/** a * b modulo the CRC polynomial, both in reflected bit order. */
function multiply(a: number, b: number): number {
  let product = 0;
  let factor = b;
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= factor;
    factor = factor & 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1;
  }
  return product >>> 0;
}

/** x^(8 * 2^k) for k = 0 .. 52, filled as needed. */
const bytePowers: number[] = [];

function bytePower(exponent: number): number {
  // x^8 in reflected order is bit 31 - 8.
  if (bytePowers.length === 0) bytePowers.push(1 << 23);
  while (bytePowers.length <= exponent) {
    const last = bytePowers[bytePowers.length - 1]!;
    bytePowers.push(multiply(last, last));
  }
  return bytePowers[exponent]!;
}

/**
 * The CRC-32 of A followed by B, from the CRCs of both and the length of B.
 *
 * @param crcA - CRC-32 of the first piece.
 * @param crcB - CRC-32 of the second piece.
 * @param lengthB - Bytes of the second piece.
 * Source: M. Adler, zlib 1.2.12, `crc32_combine`, the same algebra.
 */
export function combineCrc32(crcA: number, crcB: number, lengthB: number): number {
  return (multiply(lengthFactor(lengthB), crcA) ^ crcB) >>> 0;
}

/** Factors of lengths that were met; pieces of one array mostly have a few lengths. */
const lengthFactors = new Map<number, number>();
const MAX_LENGTH_FACTORS = 4096;

/** x^(8 * length). */
function lengthFactor(length: number): number {
  const known = lengthFactors.get(length);
  if (known !== undefined) return known;
  // x^0 in reflected order.
  let factor = 2 ** 31;
  let rest = length;
  for (let exponent = 0; rest > 0; exponent++) {
    if (rest % 2 === 1) factor = multiply(bytePower(exponent), factor);
    rest = Math.floor(rest / 2);
  }
  if (lengthFactors.size >= MAX_LENGTH_FACTORS) lengthFactors.clear();
  lengthFactors.set(length, factor);
  return factor;
}

/** The CRC-32 of so many zero bytes, put together from runs of 2^k of them. */
function crcOfZeros(length: number): number {
  let crc = 0;
  let run = crc32(Buffer.alloc(1));
  for (let rest = length, size = 1; rest > 0; rest = Math.floor(rest / 2), size *= 2) {
    if (rest % 2 === 1) crc = combineCrc32(crc, run, size);
    run = combineCrc32(run, run, size);
  }
  return crc;
}

interface Piece {
  readonly length: number;
  readonly crc: number;
}

/** Collects the CRCs of pieces of one stream in any order. */
export class PiecewiseCrc32 {
  private readonly pieces = new Map<number, Piece>();

  /**
   * Notes one piece; a piece at an offset that was noted before takes its place.
   *
   * @param offset - Position of the piece in the stream, bytes.
   * @param bytes - The piece.
   */
  add(offset: number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.pieces.set(offset, { length: bytes.length, crc: crc32(bytes) });
  }

  /**
   * Notes a piece of zeros.
   *
   * @param offset - Its position in the stream, bytes.
   * @param length - Its bytes.
   */
  addZeros(offset: number, length: number): void {
    if (length > 0) this.pieces.set(offset, { length, crc: crcOfZeros(length) });
  }

  /**
   * The CRC-32 of the whole stream.
   *
   * @param length - Bytes of the whole stream.
   * @throws Error when the pieces overlap or leave a hole: a bug of the writer.
   */
  total(length: number): number {
    const ordered = [...this.pieces].sort(([a], [b]) => a - b);
    let crc = 0;
    let position = 0;
    for (const [offset, piece] of ordered) {
      if (offset !== position) throw new Error(`byte ${position} was not written once (piece at ${offset})`);
      crc = combineCrc32(crc, piece.crc, piece.length);
      position += piece.length;
    }
    if (position !== length) throw new Error(`${position} of ${length} bytes were written`);
    return crc;
  }

  /**
   * The ranges that no piece covers.
   *
   * @param length - Bytes of the whole stream.
   */
  gaps(length: number): readonly { readonly offset: number; readonly length: number }[] {
    const found: { offset: number; length: number }[] = [];
    let position = 0;
    for (const [offset, piece] of [...this.pieces].sort(([a], [b]) => a - b)) {
      if (offset > position) found.push({ offset: position, length: offset - position });
      position = offset + piece.length;
    }
    if (position < length) found.push({ offset: position, length: length - position });
    return found;
  }
}
