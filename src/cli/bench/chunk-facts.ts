/** What a chunk of a result says of itself. */
import type { FinalChunk } from '../../core/jacobian';
import type { BenchChunk } from './open-case';

/**
 * Bytes of numbers that a chunk carries.
 *
 * @param chunk - The chunk.
 */
export function chunkBytes(chunk: BenchChunk): number {
  switch (chunk.mode) {
    case 'diagonal':
      return chunk.dhdx.byteLength + (chunk.dcdx?.byteLength ?? 0);
    case 'final':
      return chunk.dhTdx.byteLength + (chunk.dcTdx?.byteLength ?? 0) + chunk.lognormH.byteLength;
    case 'pairs':
      return chunk.logNorms.byteLength;
    case 'spectrum':
      return chunk.result.lyapunov.byteLength;
  }
}

/**
 * Blocks of which nothing is left: a zero where the true norm is none, as products of these cells never are.
 *
 * @param chunk - The chunk.
 */
export function lostBlocks({ lognormH, lognormC }: FinalChunk): number {
  return [lognormH, lognormC].reduce(
    (sum, norms) => sum + (norms?.filter((norm) => !(norm > -Infinity)).length ?? 0),
    0,
  );
}
