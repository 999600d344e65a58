/**
 * How a mask passes through a layer, as the Keras that wrote the file does it.
 *
 * A layer passes its mask on, drops it, makes its own (embedding.ts) or, with several inputs, joins theirs.
 * Source: `supports_masking` and `compute_mask` of tf-keras 2.18 and Keras 3.15, layer by layer.
 */
import type { PlainOperation } from '../../core/model';
import { frontAxis } from '../ops/shapes';
import { joinsMasksByAny, type Flow, type LayerContext, type Mask } from './flow';

/** Layers that pass a mask on in Keras 3, and drop it in Keras 2. */
const ONLY_IN_KERAS_3 = new Set(['Identity', 'Normalization', 'Rescaling']);

/** Layers of otherwise passing kinds that drop a mask everywhere. */
const ALWAYS_DROPPING = new Set(['RMSNormalization', 'EinsumDense']);

/**
 * The mask after a layer that makes none of its own.
 *
 * @param context - The layer.
 * @param operation - What it computes.
 * @param inputs - What it is given.
 */
export function maskAfter(context: LayerContext, operation: PlainOperation, inputs: readonly Flow[]): Mask | null {
  const { className } = context.layer;
  const mask = inputs[0]?.mask ?? null;
  if (className === 'TimeDistributed') return mask === null ? null : overSteps(mask);
  switch (operation.kind) {
    case 'identity':
    case 'affine':
      return context.keras.major < 3 && ONLY_IN_KERAS_3.has(className) ? null : mask;
    case 'dense':
    case 'activation':
    case 'softmax':
    case 'prelu':
    case 'layer-normalization':
      return ALWAYS_DROPPING.has(className) ? null : mask;
    case 'concatenate':
      return afterConcatenate(context, operation.axis, inputs);
    case 'merge':
      return afterMerge(context, inputs);
    default:
      return null;
  }
}

/** `[B, T]` of a mask with further axes: a step counts when anything in it does. */
function overSteps(mask: Mask): Mask {
  const [batch, steps, ...rest] = mask.shape;
  const size = rest.reduce((product, axis) => product * axis, 1);
  const data = Uint8Array.from({ length: batch * steps }, (_, step) =>
    Number(mask.data.subarray(step * size, (step + 1) * size).includes(1)),
  );
  return { shape: [batch, steps], data };
}

/** Valid where all inputs with a mask are; since Keras 3.4 where any is, and no mask when one input has none. */
function afterMerge(context: LayerContext, inputs: readonly Flow[]): Mask | null {
  const masks = inputs.map(({ mask }) => mask).filter((mask) => mask !== null);
  if (masks.length === 0 || (joinsMasksByAny(context.keras) && masks.length < inputs.length)) return null;
  return masks.reduce((joined, mask) => join(joined, mask, !joinsMasksByAny(context.keras)));
}

/**
 * Along time: one mask after the other. Along features: a step is valid where all are, since Keras 3.4 where any is; an
 * input without a mask counts as valid.
 */
function afterConcatenate(context: LayerContext, axis: number, inputs: readonly Flow[]): Mask | null {
  if (inputs.every(({ mask }) => mask === null)) return null;
  const masks = inputs.map(({ value, mask }) => mask ?? allValid(value.shape.slice(0, 2)));
  const front = frontAxis(axis, inputs[0].value.shape.length);
  if (front !== 1 || inputs[0].value.shape.length === 2) {
    return masks.reduce((joined, mask) => join(joined, mask, !joinsMasksByAny(context.keras)));
  }
  const [batch] = masks[0].shape;
  const rows = Array.from({ length: batch }, (_, row) =>
    masks.flatMap(({ shape: [, steps], data }) => [...data.subarray(row * steps, (row + 1) * steps)]),
  );
  return { shape: [batch, rows[0].length], data: Uint8Array.from(rows.flat()) };
}

function allValid(shape: readonly number[]): Mask {
  return { shape, data: new Uint8Array(shape.reduce((product, size) => product * size, 1)).fill(1) };
}

function join(a: Mask, b: Mask, isAll: boolean): Mask {
  return { shape: a.shape, data: a.data.map((value, i) => (isAll ? value & b.data[i] : value | b.data[i])) };
}
