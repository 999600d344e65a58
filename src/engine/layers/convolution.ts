/**
 * Layers that work along the time axis: Conv1D, pooling, upsampling, padding, cropping.
 *
 * A window of n taps is n shifted copies of the sequence; axes between the batch and the last two are folded into
 * the batch.
 */
import type { PlainOperation } from '../../core/model';
import { sizeOf } from '../../core/tensor';
import { activate } from '../ops/activations';
import type { Ops, Value } from '../ops';
import { shapeError, type LayerContext } from './flow';

type Operation<K extends PlainOperation['kind']> = Extract<PlainOperation, { kind: K }>;

/** How a window moves over the sequence. */
interface Windows {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: 'valid' | 'same' | 'causal';
}

/**
 * phi(conv(x) + b).
 *
 * @param context - The layer.
 * @param operation - Kernel `[size, Din/groups, Dout]`.
 * @param x - `[.., T, Din]`
 * @returns `[.., T', Dout]`.
 * @throws TempogradError `input/shape-mismatch` when Din does not fit or T is shorter than the window.
 */
export function runConv1d(context: LayerContext, operation: Operation<'conv1d'>, x: Value): Value {
  const { ops, layer } = context;
  const { kernel, bias, groups } = operation;
  const [size, groupInputs, outputs] = kernel.shape;
  const channels = x.shape[x.shape.length - 1];
  if (channels !== groupInputs * groups) throw shapeError(layer, x.shape, `[.., ${groupInputs * groups}]`);
  return overSequences(ops, x, (sequences) => {
    const { taps } = tapsOf(context, { ...operation, size }, sequences, 0);
    const [batch, steps] = taps[0].shape;
    const weights = ops.split(ops.upload(kernel.data, kernel.shape), groups, 2);
    const parts = weights.map((weight, group) => {
      const columns = taps.map((tap) =>
        groups === 1 ? tap : ops.slice(tap, [0, 0, group * groupInputs], [batch, steps, groupInputs]),
      );
      const rows = ops.reshape(ops.concat(columns, 2), [batch * steps, size * groupInputs]);
      return ops.matMul(rows, ops.reshape(weight, [size * groupInputs, outputs / groups]));
    });
    const product = ops.concat(parts, 1);
    const shifted = bias ? ops.add(product, ops.upload(bias.data, bias.shape)) : product;
    return activate(ops, operation.activation, ops.reshape(shifted, [batch, steps, outputs]));
  });
}

/**
 * The largest or the average entry of each window; padding counts for neither.
 *
 * @param context - The layer.
 * @param operation - Kind, size, stride, padding.
 * @param x - `[.., T, D]`
 * @throws TempogradError `input/shape-mismatch` when T is shorter than the window.
 */
export function runPool1d(context: LayerContext, operation: Operation<'pool1d'>, x: Value): Value {
  const { ops } = context;
  const windows: Windows = { ...operation, dilation: 1 };
  return overSequences(ops, x, (sequences) => {
    if (operation.pooling === 'max') {
      const { taps } = tapsOf(context, windows, sequences, -Infinity);
      return taps.reduce((largest, tap) => ops.maximum(largest, tap));
    }
    const { taps, left } = tapsOf(context, windows, sequences, 0);
    const sum = taps.reduce((total, tap) => ops.add(total, tap));
    const steps = sequences.shape[1];
    const counts = Float32Array.from({ length: sum.shape[1] }, (_, step) => {
      const first = step * windows.stride - left;
      return Math.min(first + windows.size, steps) - Math.max(first, 0);
    });
    return ops.div(sum, ops.upload(counts, [1, counts.length, 1]));
  });
}

/**
 * Each step repeated.
 *
 * @param ops - The operations.
 * @param size - How often.
 * @param x - `[.., T, D]`
 */
export function runUpsampling1d(ops: Ops, size: number, x: Value): Value {
  return overSequences(ops, x, (sequences) => {
    const [batch, steps, width] = sequences.shape;
    const repeated = ops.broadcastTo(ops.reshape(sequences, [batch, steps, 1, width]), [batch, steps, size, width]);
    return ops.reshape(repeated, [batch, steps * size, width]);
  });
}

/**
 * Zeros before and after the sequence.
 *
 * @param ops - The operations.
 * @param left - Steps before.
 * @param right - Steps after.
 * @param x - `[.., T, D]`
 */
export function runPadding1d(ops: Ops, left: number, right: number, x: Value): Value {
  return overSequences(ops, x, (sequences) =>
    ops.pad(
      sequences,
      [
        [0, 0],
        [left, right],
        [0, 0],
      ],
      0,
    ),
  );
}

/**
 * The sequence without its first and last steps.
 *
 * @param context - The layer.
 * @param operation - How many of each.
 * @param x - `[.., T, D]`
 * @throws TempogradError `input/shape-mismatch` when nothing is left.
 */
export function runCropping1d(context: LayerContext, operation: Operation<'cropping1d'>, x: Value): Value {
  const { ops, layer } = context;
  const { left, right } = operation;
  return overSequences(ops, x, (sequences) => {
    const [batch, steps, width] = sequences.shape;
    const kept = steps - left - right;
    if (kept < 1) throw shapeError(layer, x.shape, `more than ${left + right} timesteps`);
    return ops.slice(sequences, [0, left, 0], [batch, kept, width]);
  });
}

/** The body on `[N, T, D]`, with all axes before the last two folded into N. */
function overSequences(ops: Ops, x: Value, body: (sequences: Value) => Value): Value {
  const outer = x.shape.slice(0, -2);
  if (outer.length === 1) return body(x);
  const made = body(ops.reshape(x, [sizeOf(outer), ...x.shape.slice(-2)]));
  return ops.reshape(made, [...outer, ...made.shape.slice(1)]);
}

/** The n-th value is what the n-th tap of every window sees, `[B, T', D]`; `left` = steps of padding before. */
function tapsOf(
  context: LayerContext,
  windows: Windows,
  x: Value,
  filler: number,
): { readonly taps: Value[]; readonly left: number } {
  const { ops, layer } = context;
  const { size, stride, dilation, padding } = windows;
  const [batch, steps, width] = x.shape;
  const reach = (size - 1) * dilation + 1;
  const isPadded = padding !== 'valid';
  const count = isPadded ? Math.ceil(steps / stride) : Math.floor((steps - reach) / stride) + 1;
  if (count < 1) throw shapeError(layer, x.shape, `at least ${reach} timesteps`);
  const total = isPadded ? Math.max((count - 1) * stride + reach - steps, 0) : 0;
  const left = padding === 'causal' ? reach - 1 : Math.floor(total / 2);
  const right = padding === 'causal' ? 0 : total - left;
  const padded =
    left + right > 0
      ? ops.pad(
          x,
          [
            [0, 0],
            [left, right],
            [0, 0],
          ],
          filler,
        )
      : x;
  const taps = Array.from({ length: size }, (_, tap) => {
    const first = tap * dilation;
    if (stride === 1) return ops.slice(padded, [0, first, 0], [batch, count, width]);
    const indices = Int32Array.from({ length: count }, (__, step) => first + step * stride);
    return ops.gather(padded, ops.uploadInts(indices, [count]), 1);
  });
  return { taps, left };
}
