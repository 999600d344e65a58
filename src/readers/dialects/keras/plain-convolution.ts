/**
 * Conv1D and the layers that thin, stretch or trim the time axis.
 */
import { z } from 'zod';
import type { JsonObject } from '../../json';
import { readActivation } from './activations';
import { parseConfig, positiveCount } from './context';
import type { PlainReader } from './plain-reader';
import { slot } from './weight-reader';
import { unsupported } from '../../reading';

/** One number, or a list of one as Keras writes it. */
const oneNumber = z
  .union([positiveCount, z.array(positiveCount).length(1)])
  .transform((value) => (typeof value === 'number' ? value : (value[0] ?? 1)));

const convolutionSchema = z.object({
  filters: positiveCount,
  kernel_size: oneNumber,
  strides: oneNumber.default(1),
  dilation_rate: oneNumber.default(1),
  groups: positiveCount.default(1),
  padding: z.enum(['valid', 'same', 'causal']).default('valid'),
  use_bias: z.boolean().default(true),
});
const poolingSchema = z.object({
  pool_size: oneNumber.default(2),
  strides: oneNumber.nullish(),
  padding: z.enum(['valid', 'same']).default('valid'),
});
const upsamplingSchema = z.object({ size: oneNumber.default(2) });
const count = z.number().int().min(0).max(1_000_000);
const pair = z
  .union([count, z.tuple([count, count])])
  .transform((value): [number, number] => (typeof value === 'number' ? [value, value] : value));

/** The time axis must be the second one. */
function refuseChannelsFirst(config: JsonObject): void {
  if (config['data_format'] === 'channels_first')
    throw unsupported('its data format is channels_first, with the time axis last');
}

const readConvolution: PlainReader = async ({ config, layer, weights, part, context }) => {
  refuseChannelsFirst(config);
  const settings = parseConfig(convolutionSchema, config, layer);
  const slots = [slot('kernel', 'kernel', [settings.kernel_size, null, settings.filters])];
  if (settings.use_bias) slots.push(slot('bias', 'bias', [settings.filters]));
  const [kernel, bias = null] = await weights.take(part, slots, null);
  if (!kernel) throw new Error('a kernel was asked for');
  return {
    kind: 'conv1d',
    kernel,
    bias,
    stride: settings.strides,
    dilation: settings.dilation_rate,
    groups: settings.groups,
    padding: settings.padding,
    activation: readActivation(config['activation'], context.writer),
  };
};

const readPooling: PlainReader = ({ className, config, layer }) => {
  refuseChannelsFirst(config);
  const { pool_size: size, strides, padding } = parseConfig(poolingSchema, config, layer);
  const pooling = className.startsWith('Max') ? 'max' : 'average';
  return Promise.resolve({ kind: 'pool1d', pooling, size, stride: strides ?? size, padding });
};

const readUpsampling: PlainReader = ({ config, layer }) =>
  Promise.resolve({ kind: 'upsampling1d', size: parseConfig(upsamplingSchema, config, layer).size });

const readPadding: PlainReader = ({ config, layer }) => {
  refuseChannelsFirst(config);
  const [left, right] = parseConfig(z.object({ padding: pair.default([1, 1]) }), config, layer).padding;
  return Promise.resolve({ kind: 'padding1d', left, right });
};

const readCropping: PlainReader = ({ config, layer }) => {
  refuseChannelsFirst(config);
  const [left, right] = parseConfig(z.object({ cropping: pair.default([1, 1]) }), config, layer).cropping;
  return Promise.resolve({ kind: 'cropping1d', left, right });
};

/** Readers by class. */
export const CONVOLUTION_READERS: Readonly<Record<string, PlainReader>> = {
  Conv1D: readConvolution,
  Convolution1D: readConvolution,
  MaxPooling1D: readPooling,
  MaxPool1D: readPooling,
  AveragePooling1D: readPooling,
  AvgPool1D: readPooling,
  UpSampling1D: readUpsampling,
  ZeroPadding1D: readPadding,
  Cropping1D: readCropping,
};
