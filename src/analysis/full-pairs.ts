/**
 * How large the whole Jacobians of all pairs are, and whether that is allowed; known before anything is computed.
 */
import { TempogradError } from '../core/errors';
import { hiddenSize, type CellDescription } from '../core/model';
import { cellSizes } from '../engine/cells/cell-sizes';
import type { RunRequest } from '../shared/run';

/** What whole pairs may take where the request does not say, bytes. */
export const DEFAULT_MAX_FULL_BYTES = 2 * 2 ** 30;

/** The sizes that decide. */
interface FullSizes {
  readonly batch: number;
  readonly steps: number;
}

/**
 * Bytes of dh_t/dx_s and dc_t/dx_s of every pair with their scales, zeros included; 0 where they are not asked for.
 *
 * @param request - The request.
 * @param cells - One per direction.
 * @param sizes - B and T.
 */
export function fullPairsBytes(
  request: RunRequest,
  cells: readonly CellDescription[],
  { batch, steps }: FullSizes,
): number {
  if (!request.full || !request.modes.includes('pairs')) return 0;
  const floats = cells.reduce((sum, cell) => sum + cellSizes(cell).stateSize * cell.inputDim, 0);
  const scales = cells.some((cell) => cellSizes(cell).stateSize > hiddenSize(cell)) ? 2 : 1;
  return 4 * batch * steps * steps * (floats + scales);
}

/**
 * Nothing, where whole pairs of this size are allowed.
 *
 * @param bytes - What they take.
 * @param request - The request, with its limit.
 * @param sizes - B and T.
 * @throws TempogradError `output/too-large` above the limit.
 */
export function checkFullPairs(bytes: number, { maxBytes }: RunRequest, { batch, steps }: FullSizes): void {
  const limit = maxBytes ?? DEFAULT_MAX_FULL_BYTES;
  if (bytes <= limit) return;
  const fitting = Math.floor(steps * Math.sqrt(limit / bytes));
  const shorter = fitting > 0 ? `, ask for at most ${fitting} steps` : '';
  throw new TempogradError(
    'output/too-large',
    `the whole Jacobians of ${batch} x ${steps} x ${steps} pairs would take ${bytes} bytes, the limit is ${limit}`,
    {
      remedy: `Raise --max-bytes${shorter}, or leave out --full: --block gives single pairs.`,
      details: { bytes, maxBytes: limit },
    },
  );
}
