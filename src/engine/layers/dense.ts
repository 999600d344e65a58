/** Layers that act on each timestep alone: Dense and PReLU. */
import type { PlainOperation } from '../../core/model';
import { sizeOf } from '../../core/tensor';
import { activate } from '../ops/activations';
import type { Value } from '../ops';
import { shapeError, type LayerContext } from './flow';

type Operation<K extends PlainOperation['kind']> = Extract<PlainOperation, { kind: K }>;

/**
 * phi(x W + b) along the last axis.
 *
 * @param context - The layer.
 * @param operation - Kernel `[Din, Dout]`.
 * @param x - `[.., Din]`, any rank from 2 on.
 * @returns `[.., Dout]`.
 * @throws TempogradError `input/shape-mismatch` when Din does not fit.
 */
export function runDense(context: LayerContext, operation: Operation<'dense'>, x: Value): Value {
  const { ops, layer } = context;
  const { kernel, bias } = operation;
  const [inputs, outputs] = kernel.shape;
  const leading = x.shape.slice(0, -1);
  if (x.shape.length < 2 || x.shape[x.shape.length - 1] !== inputs) {
    throw shapeError(layer, x.shape, `[.., ${inputs}]`);
  }
  const product = ops.matMul(ops.reshape(x, [sizeOf(leading), inputs]), ops.upload(kernel.data, kernel.shape));
  const shifted = bias ? ops.add(product, ops.upload(bias.data, bias.shape)) : product;
  return activate(ops, operation.activation, ops.reshape(shifted, [...leading, outputs]));
}

/**
 * max(x, 0) + alpha min(x, 0).
 *
 * @param context - The layer.
 * @param operation - alpha in the input's shape without the batch, shared axes of size 1.
 * @param x - `[B, ..]`
 * @throws TempogradError `input/shape-mismatch` when alpha belongs to another shape.
 */
export function runPrelu(context: LayerContext, operation: Operation<'prelu'>, x: Value): Value {
  const { ops, layer } = context;
  const { alpha } = operation;
  const fits = alpha.shape.length < x.shape.length && canBroadcast(alpha.shape, x.shape);
  if (!fits) throw shapeError(layer, x.shape, `[B, ${alpha.shape.join(', ')}]`);
  const slope = ops.upload(alpha.data, alpha.shape);
  return ops.add(ops.relu(x), ops.mul(slope, ops.minimum(x, ops.constant(0))));
}

function canBroadcast(from: readonly number[], to: readonly number[]): boolean {
  const offset = to.length - from.length;
  return from.every((size, axis) => size === 1 || size === to[axis + offset]);
}
