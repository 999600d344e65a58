/**
 * Any layer but a recurrent one: its value by its kind, its mask by masks.ts.
 */
import type { PlainOperation } from '../../core/model';
import { sizeOf } from '../../core/tensor';
import { activate, softmax } from '../ops/activations';
import type { Value } from '../ops';
import { runConv1d, runCropping1d, runPadding1d, runPool1d, runUpsampling1d } from './convolution';
import { runDense, runPrelu } from './dense';
import { runEmbedding, runMasking } from './embedding';
import { asReal, axisOf, shapeError, type Flow, type LayerContext } from './flow';
import { maskAfter } from './masks';
import { runConcatenate, runMerge } from './merge';
import { runAffine, runLayerNormalization } from './normalization';
import { runFlatten, runPermute, runRepeat, runReshape, runSlice } from './shape';

/** Operations that a layer applies to what it is given; inputs and constants are uploaded by the caller. */
export type AppliedOperation = Exclude<PlainOperation, { kind: 'input' | 'constant' }>;

/**
 * The output of a layer.
 *
 * @param context - The layer.
 * @param operation - What it computes.
 * @param inputs - What it is given; not disposed.
 * @returns A new value, the caller's to dispose.
 * @throws TempogradError `input/shape-mismatch` naming the layer when a shape does not fit.
 */
export function runPlainLayer(context: LayerContext, operation: AppliedOperation, inputs: readonly Flow[]): Flow {
  const { ops, layer } = context;
  if (inputs.length === 0) throw shapeError(layer, [], 'an input');
  return ops.tidy(() => {
    if (layer.className === 'TimeDistributed') return runOverSteps(context, operation, inputs[0]);
    if (operation.kind === 'embedding') return runEmbedding(context, operation, inputs[0]);
    if (operation.kind === 'masking') return runMasking(context, operation, inputs[0]);
    const reals = inputs.map(({ value, mask }): Flow => ({ value: asReal(ops, value), mask }));
    return { value: apply(context, operation, reals), mask: maskAfter(context, operation, inputs) };
  });
}

/** TimeDistributed: the inner layer on every step of every sequence, steps folded into the batch. */
function runOverSteps(context: LayerContext, operation: AppliedOperation, input: Flow): Flow {
  const { ops, layer } = context;
  const { value, mask } = input;
  if (value.shape.length < 2) throw shapeError(layer, value.shape, '[B, T, ..]');
  const [batch, steps, ...rest] = value.shape;
  const folded = ops.reshape(value, [batch * steps, ...rest]);
  const isRms = operation.kind === 'layer-normalization' && operation.rms;
  const inner: LayerContext = { ...context, layer: { ...layer, className: isRms ? 'RMSNormalization' : '' } };
  const innerMask = mask && mask.shape.length > 2 ? { ...mask, shape: [batch * steps, ...mask.shape.slice(2)] } : null;
  const made = runPlainLayer(inner, operation, [{ value: folded, mask: innerMask }]);
  const unfolded = ops.reshape(made.value, [batch, steps, ...made.value.shape.slice(1)]);
  const stepMask = made.mask ? { ...made.mask, shape: [batch, steps, ...made.mask.shape.slice(1)] } : null;
  const fits = stepMask !== null && sizeOf(stepMask.shape) === stepMask.data.length;
  return { value: unfolded, mask: fits ? stepMask : maskAfter(context, operation, [input]) };
}

function apply(context: LayerContext, operation: AppliedOperation, inputs: readonly Flow[]): Value {
  const { ops, layer } = context;
  const [{ value: x }] = inputs;
  switch (operation.kind) {
    case 'identity':
      return ops.reshape(x, x.shape);
    case 'dense':
      return runDense(context, operation, x);
    case 'activation':
      return activate(ops, operation.activation, x);
    case 'prelu':
      return runPrelu(context, operation, x);
    case 'affine':
      return runAffine(context, operation, x);
    case 'layer-normalization':
      return runLayerNormalization(context, operation, x);
    case 'conv1d':
      return runConv1d(context, operation, x);
    case 'pool1d':
      return runPool1d(context, operation, x);
    case 'upsampling1d':
      return runUpsampling1d(ops, operation.size, x);
    case 'padding1d':
      return runPadding1d(ops, operation.left, operation.right, x);
    case 'cropping1d':
      return runCropping1d(context, operation, x);
    case 'slice':
      return runSlice(context, operation, x);
    case 'reshape':
      return runReshape(context, operation.target, x);
    case 'permute':
      return runPermute(context, operation.dims, x);
    case 'flatten':
      return runFlatten(ops, x);
    case 'repeat':
      return runRepeat(context, operation.count, x);
    case 'concatenate':
      return runConcatenate(
        context,
        operation.axis,
        inputs.map(({ value }) => value),
      );
    case 'merge':
      return runMerge(context, operation.operation, inputs);
    case 'softmax':
      return softmax(ops, x, axisOf(layer, operation.axis, x.shape));
    case 'embedding':
    case 'masking':
      throw new Error(`${operation.kind} is not applied to reals alone`);
  }
}
