/** Layers that only move entries: Reshape, Permute, Flatten, RepeatVector, slices. */
import type { PlainOperation } from '../../core/model';
import { slicedPlaces } from '../../core/sliced-places';
import { sizeOf } from '../../core/tensor';
import type { Ops, Value } from '../ops';
import { shapeError, type LayerContext } from './flow';

/**
 * The entries of each example under another shape.
 *
 * @param context - The layer.
 * @param target - Sizes without the batch; one may be -1.
 * @param x - `[B, ..]`
 * @throws TempogradError `input/shape-mismatch` when the sizes do not fit.
 */
export function runReshape(context: LayerContext, target: readonly number[], x: Value): Value {
  const entries = sizeOf(x.shape.slice(1));
  const known = target.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const sizes = target.map((size) => (size === -1 ? entries / known : size));
  if (sizeOf(sizes) !== entries || !sizes.every(Number.isInteger)) {
    throw shapeError(context.layer, x.shape, `entries for [B, ${target.join(', ')}]`);
  }
  return context.ops.reshape(x, [x.shape[0], ...sizes]);
}

/**
 * The axes of each example in another order.
 *
 * @param context - The layer.
 * @param dims - Axes counted from 1, the batch left out.
 * @param x - `[B, ..]`
 * @throws TempogradError `input/shape-mismatch` when x has another number of axes.
 */
export function runPermute(context: LayerContext, dims: readonly number[], x: Value): Value {
  if (dims.length !== x.shape.length - 1) throw shapeError(context.layer, x.shape, `${dims.length + 1} axes`);
  return context.ops.transpose(x, [0, ...dims]);
}

/**
 * Entries of one axis.
 *
 * @param context - The layer.
 * @param operation - Which.
 * @param x - `[B, ..]`
 * @throws TempogradError `input/shape-mismatch` when nothing is left, or more than the one entry that is taken out.
 */
export function runSlice(
  { ops, layer }: LayerContext,
  { axis, slice, drop }: Extract<PlainOperation, { kind: 'slice' }>,
  x: Value,
): Value {
  const places = slicedPlaces(slice, x.shape[axis] ?? 0);
  if (places.length === 0 || (drop && places.length !== 1)) {
    throw shapeError(layer, x.shape, `entries ${slice.start} to ${slice.end} of axis ${axis}`);
  }
  const made = ops.gather(x, ops.uploadInts(places, [places.length]), axis);
  return drop
    ? ops.reshape(
        made,
        made.shape.filter((_, index) => index !== axis),
      )
    : made;
}

/**
 * All entries of each example in a row.
 *
 * @param ops - The operations.
 * @param x - `[B, ..]`
 */
export function runFlatten(ops: Ops, x: Value): Value {
  return ops.reshape(x, [x.shape[0], sizeOf(x.shape.slice(1))]);
}

/**
 * A vector repeated as a sequence.
 *
 * @param context - The layer.
 * @param count - T.
 * @param x - `[B, D]`
 * @returns `[B, T, D]`.
 * @throws TempogradError `input/shape-mismatch` when x is not a vector per sequence.
 */
export function runRepeat(context: LayerContext, count: number, x: Value): Value {
  if (x.shape.length !== 2) throw shapeError(context.layer, x.shape, '[B, D]');
  const [batch, width] = x.shape;
  return context.ops.broadcastTo(context.ops.reshape(x, [batch, 1, width]), [batch, count, width]);
}
