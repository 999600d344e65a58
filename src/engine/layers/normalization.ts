/** Normalizations at inference. */
import type { PlainOperation } from '../../core/model';
import { sizeOf } from '../../core/tensor';
import type { Value } from '../ops';
import { alongAxes, axisOf, shapeError, type LayerContext } from './flow';

type Operation<K extends PlainOperation['kind']> = Extract<PlainOperation, { kind: K }>;

/**
 * x scale + offset along an axis: BatchNormalization at inference, Normalization, Rescaling.
 *
 * @param context - The layer.
 * @param operation - scale and offset `[n]`, or one number for all.
 * @param x - Any shape with n entries along the axis.
 * @throws TempogradError `input/shape-mismatch` when the axis has another size.
 */
export function runAffine(context: LayerContext, operation: Operation<'affine'>, x: Value): Value {
  const { ops, layer } = context;
  const { scale, offset } = operation;
  const axis = axisOf(layer, operation.axis, x.shape);
  for (const { data } of [scale, offset]) {
    if (data.length !== 1 && data.length !== x.shape[axis]) {
      throw shapeError(layer, x.shape, `${data.length} entries along axis ${axis}`);
    }
  }
  const factor = alongAxes(ops, scale.data, [axis], x.shape);
  return ops.add(ops.mul(x, factor), alongAxes(ops, offset.data, [axis], x.shape));
}

/**
 * (x - mean)/sqrt(variance + epsilon) gamma + beta over some axes of each example.
 *
 * With `rms` nothing is subtracted: RMSNormalization divides by the root mean square; LayerNormalization with
 * `rms_scaling` divides by the standard deviation, which is what Keras does.
 * Source: Ba et al. 1607.06450; Zhang and Sennrich 1910.07467; Keras 3.15 `ops.layer_normalization`.
 *
 * @param context - The layer.
 * @param operation - Axes, epsilon, gamma and beta over those axes.
 * @param x - `[B, ..]`
 */
export function runLayerNormalization(
  context: LayerContext,
  operation: Operation<'layer-normalization'>,
  x: Value,
): Value {
  const { ops, layer } = context;
  const { gamma, beta, epsilon, rms } = operation;
  const axes = operation.axes.map((axis) => axisOf(layer, axis, x.shape)).sort((a, b) => a - b);
  const size = sizeOf(axes.map((axis) => x.shape[axis]));
  for (const weight of [gamma, beta]) {
    if (weight && weight.data.length !== size) throw shapeError(layer, x.shape, `${weight.data.length} entries`);
  }
  const centred = ops.sub(x, ops.mean(x, axes, true));
  const spread = rms && layer.className === 'RMSNormalization' ? x : centred;
  const variance = ops.mean(ops.square(spread), axes, true);
  const normal = ops.mul(rms ? x : centred, ops.rsqrt(ops.add(variance, ops.constant(epsilon))));
  const stretched = gamma ? ops.mul(normal, alongAxes(ops, gamma.data, axes, x.shape)) : normal;
  return beta && !rms ? ops.add(stretched, alongAxes(ops, beta.data, axes, x.shape)) : stretched;
}
