/** A tensor stored in the file, as the output of a layer that reads nothing. */
import { sizeOf, type RealTensor } from '../../core/tensor';
import type { Ops, Value } from '../ops';
import { shapeError, type LayerContext } from './flow';

/**
 * The tensor for every sequence of the batch.
 *
 * @param context - The layer.
 * @param value - `[B or 1, ...]`
 * @param batch - B
 * @returns `[B, ...]`, the caller's to dispose.
 * @throws TempogradError `input/shape-mismatch` when the tensor is stored for another batch.
 */
export function runConstant(context: LayerContext, value: RealTensor, batch: number): Value {
  const { ops, layer } = context;
  const [rows, ...rest] = value.shape;
  if (rows === batch) return ops.upload(value.data, value.shape);
  if (rows !== 1) throw shapeError(layer, value.shape, `[${[batch, ...rest].join(', ')}], one row a sequence`);
  return repeated(ops, value, [batch, ...rest]);
}

function repeated(ops: Ops, value: RealTensor, shape: readonly number[]): Value {
  const size = sizeOf(value.shape);
  const data = value.data instanceof Float32Array ? new Float32Array(sizeOf(shape)) : new Float64Array(sizeOf(shape));
  for (let at = 0; at < data.length; at += size) data.set(value.data, at);
  return ops.upload(data, shape);
}
