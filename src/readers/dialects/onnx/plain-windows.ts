/**
 * Nodes that run a window over the steps of a sequence: Conv, MaxPool, AveragePool, Pad.
 *
 * Two-dimensional ones count where one of their axes has a single entry, as exporters write them.
 * Source: ONNX operators of the same names.
 */
import type { PlainOperation } from '../../../core/model';
import type { RealTensor } from '../../../core/tensor';
import { unsupported } from '../../reading';
import { ONE, type Axes } from './axes';
import { frontAxis, transpose } from './fold-shapes';
import { first, integer, integers, onward, rankOf, type PlainNode, type PlainSource } from './plain-source';
import type { OnnxNode } from './model';

/** Which spatial axis of a window runs over the steps, and how. */
interface Window {
  readonly at: number;
  readonly stride: number;
  readonly dilation: number;
  readonly left: number;
  readonly right: number;
  readonly isSame: boolean;
}

/**
 * Conv over one axis.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported`.
 */
export async function readConv(source: PlainSource): Promise<PlainNode> {
  const { node } = source;
  const value = first(source);
  const [weights, bias] = [await source.constant(1), await source.constant(2)];
  if (!weights || weights.shape.length !== value.axes.length) throw unsupported('its kernel is not stored');
  if (node.inputs[2] && !bias) throw unsupported('its bias is not stored');
  const isTurned = value.axes.join() === '0,1,2';
  const window = windowOf(node, isTurned ? [0, 2, 1] : value.axes);
  const kernel = flatKernel(weights, window.at);
  const operations: PlainOperation[] = isTurned ? [{ kind: 'permute', dims: [2, 1] }] : [];
  if (window.left > 0 || window.right > 0) {
    operations.push({ kind: 'padding1d', left: window.left, right: window.right });
  }
  operations.push({
    kind: 'conv1d',
    kernel: transpose(kernel, [2, 1, 0]),
    bias,
    stride: window.stride,
    dilation: window.dilation,
    groups: integer(node, 'group', 1),
    padding: window.isSame ? 'same' : 'valid',
    activation: { name: 'linear' },
  });
  return {
    operations,
    inputs: [value],
    axes: isTurned ? [0, 2, 1] : value.axes,
    width: weights.shape[0] ?? null,
  };
}

/**
 * MaxPool or AveragePool over one axis.
 *
 * @param source - The node.
 * @param pooling - Which.
 * @throws TempogradError `cell/unsupported`.
 */
export function readPool(source: PlainSource, pooling: 'max' | 'average'): PlainNode {
  const { node } = source;
  const value = first(source);
  const window = windowOf(node, value.axes);
  const kernel = integers(node, 'kernel_shape');
  const isPlain =
    window.left === 0 && window.right === 0 && window.dilation === 1 && integer(node, 'ceil_mode', 0) === 0;
  if (!isPlain || kernel.some((size, at) => at !== window.at && size !== 1)) throw unsupported('it pools with padding');
  return onward(value, [
    {
      kind: 'pool1d',
      pooling,
      size: kernel[window.at] ?? 1,
      stride: window.stride,
      padding: window.isSame ? 'same' : 'valid',
    },
  ]);
}

/**
 * Pad with zeros before and after the steps.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported`.
 */
export async function readPad(source: PlainSource): Promise<PlainNode> {
  const { node } = source;
  const value = first(source);
  const [stored, filler, axes] = [await source.constant(1), await source.constant(2), await source.constant(3)];
  const pads = stored ? Array.from(stored.data) : integers(node, 'pads');
  const places = axes ? Array.from(axes.data) : value.axes.map((_, place) => place);
  const isZero = (filler?.data[0] ?? node.attributes.get('value')?.float ?? 0) === 0;
  if ((node.attributes.get('mode')?.text ?? 'constant') !== 'constant' || !isZero)
    throw unsupported('it pads with no zeros');
  if (pads.length !== 2 * places.length) throw unsupported('how much it pads cannot be told');
  let [left, right] = [0, 0];
  for (const [index, place] of places.entries()) {
    const [before, after] = [pads[index] ?? 0, pads[index + places.length] ?? 0];
    if (before === 0 && after === 0) continue;
    const axis = value.axes[frontAxis(place, value.axes.length)] ?? ONE;
    if (axis !== 1 || rankOf(value) !== 3 || before < 0 || after < 0) throw unsupported('it pads what is no sequence');
    [left, right] = [before, after];
  }
  return onward(value, left + right > 0 ? [{ kind: 'padding1d', left, right }] : []);
}

function windowOf(node: OnnxNode, axes: Axes): Window {
  const spatial = axes.slice(2);
  const at = spatial.indexOf(1);
  const isKnown =
    axes[0] === 0 && axes[1] === 2 && at >= 0 && spatial.every((axis, index) => index === at || axis === ONE);
  if (!isKnown) throw unsupported('which of its axes are batch, features and steps cannot be told');
  const pad = node.attributes.get('auto_pad')?.text ?? 'NOTSET';
  if (!['', 'NOTSET', 'VALID', 'SAME_UPPER'].includes(pad)) throw unsupported(`its padding ${pad} is not known`);
  const pads = pad === 'NOTSET' || pad === '' ? integers(node, 'pads') : [];
  const others = pads.filter((_, index) => index % spatial.length !== at);
  if (others.some((count) => count !== 0)) throw unsupported('it pads an axis of one entry');
  return {
    at,
    stride: integers(node, 'strides')[at] ?? 1,
    dilation: integers(node, 'dilations')[at] ?? 1,
    left: pads[at] ?? 0,
    right: pads[at + spatial.length] ?? 0,
    isSame: pad === 'SAME_UPPER',
  };
}

/** `[Dout, Din, size]` out of a kernel whose other axes have one entry. */
function flatKernel({ shape, data }: RealTensor, at: number): RealTensor {
  const [out = 0, into = 0, ...spatial] = shape;
  if (spatial.some((size, index) => index !== at && size !== 1)) throw unsupported('its kernel has two dimensions');
  return { shape: [out, into, spatial[at] ?? 1], data };
}
