/**
 * From a chunk of Jacobians to the event that carries its norms.
 */
import { jacobianNorms } from '../core/diagnostics/gradient-norms';
import type { JacobianChunk } from '../core/jacobian';
import type { DiagonalEvent, FinalEvent, StepNorms } from '../shared/run';

/**
 * The event of a chunk: natural logs of Frobenius, row and column norms.
 *
 * @param chunk - As the engine gives it.
 * @param batch - B
 * @param inputDim - D of x.
 *
 * Numerics: totals of a `final` chunk are the engine's own, the others follow from the blocks and their scales.
 */
export function stepNorms(chunk: JacobianChunk, batch: number, inputDim: number): DiagonalEvent | FinalEvent {
  const { direction, start, count } = chunk;
  const blocks = batch * count;
  const norms = (data: Float32Array | Float64Array, scales: Int32Array | null): StepNorms =>
    jacobianNorms(data, blocks, data.length / (blocks * inputDim), inputDim, scales);
  if (chunk.mode === 'diagonal') {
    const c = chunk.dcdx ? norms(chunk.dcdx, null) : null;
    return { kind: 'diagonal', direction, start, count, h: norms(chunk.dhdx, null), c };
  }
  // The engine may use its arrays again for the next chunk, so the totals are copied.
  const h = { ...norms(chunk.dhTdx, chunk.scaleH), total: Float64Array.from(chunk.lognormH) };
  if (!chunk.dcTdx || !chunk.lognormC) return { kind: 'final', direction, start, count, h, c: null };
  const c = { ...norms(chunk.dcTdx, chunk.scaleC), total: Float64Array.from(chunk.lognormC) };
  return { kind: 'final', direction, start, count, h, c };
}
