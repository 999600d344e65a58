/**
 * The error of all pairs against the engine's own last row, which is computed another way: by pulling.
 *
 * A float64 run of all pairs would take hours; `final` is itself held against float64.
 */
import type { DiagonalChunk, FinalChunk, PairsChunk } from '../../core/jacobian';
import type { LayerRun } from '../../engine/engine';
import type { BenchError } from './accuracy';
import type { BenchMode } from './cases';

type Chunks = AsyncGenerator<DiagonalChunk | FinalChunk | PairsChunk, void, void>;

/**
 * Differences of natural log norms of dh_T/dx_s and dc_T/dx_s of the first sequence.
 *
 * @param run - The layer.
 * @param chunksOf - Computes a mode.
 * @param mode - Which kind of pairs.
 */
export async function measurePairsError(
  { steps }: LayerRun,
  chunksOf: (mode: BenchMode) => Chunks,
  mode: BenchMode,
): Promise<BenchError> {
  const pushed = { dh_dx: new Float64Array(steps).fill(NaN), dc_dx: new Float64Array(steps).fill(NaN) };
  for await (const chunk of chunksOf(mode)) {
    if (chunk.mode !== 'pairs' || chunk.targetStart + chunk.targetCount < steps) continue;
    if (chunk.sequence > 0 || (chunk.quantity !== 'dh_dx' && chunk.quantity !== 'dc_dx')) continue;
    const last = chunk.logNorms.subarray((chunk.targetCount - 1) * chunk.sourceCount);
    pushed[chunk.quantity].set(last, chunk.sourceStart);
  }
  const errors: number[] = [];
  for await (const chunk of chunksOf('final')) {
    if (chunk.mode !== 'final') continue;
    for (let at = 0; at < chunk.count; at++) {
      errors.push(Math.abs(chunk.lognormH[at] - pushed.dh_dx[chunk.start + at]));
      if (chunk.lognormC) errors.push(Math.abs(chunk.lognormC[at] - pushed.dc_dx[chunk.start + at]));
    }
  }
  errors.sort((a, b) => a - b);
  return { samples: errors.length, median: errors[errors.length >> 1], max: errors[errors.length - 1] };
}
