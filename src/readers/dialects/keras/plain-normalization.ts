/**
 * Normalizations. At inference batch normalization is y = x scale + offset with fixed numbers, and is kept as that.
 */
import { z } from 'zod';
import type { PlainOperation } from '../../../core/model';
import type { RealTensor } from '../../../core/tensor';
import { field, isArray, type JsonValue } from '../../json';
import { parseConfig } from './context';
import type { PlainReader } from './plain-reader';
import { slot } from './weight-reader';
import { unsupported } from '../../reading';

const axisList = z.union([z.number().int(), z.array(z.number().int())]);
const batchSchema = z.object({
  axis: axisList.default(-1),
  epsilon: z.number().default(1e-3),
  center: z.boolean().default(true),
  scale: z.boolean().default(true),
});
const layerSchema = z.object({
  axis: axisList.default(-1),
  epsilon: z.number().default(1e-3),
  center: z.boolean().default(true),
  scale: z.boolean().default(true),
  rms_scaling: z.boolean().default(false),
});
const rmsSchema = z.object({ axis: axisList.default(-1), epsilon: z.number().default(1e-6) });

/** Keras divides by the standard deviation or by its own epsilon, whichever is larger. */
const NORMALIZATION_EPSILON = 1e-7;

function axesOf(axis: number | readonly number[]): readonly number[] {
  return typeof axis === 'number' ? [axis] : axis;
}

function singleAxis(axis: number | readonly number[]): number {
  const axes = axesOf(axis);
  const [first] = axes;
  if (axes.length !== 1 || first === undefined)
    throw unsupported('it normalizes over several axes with fixed statistics');
  return first;
}

/** gamma (x - mean) / sqrt(variance + epsilon) + beta with the moving statistics, in float64. */
const readBatchNormalization: PlainReader = async ({ config, layer, weights, part }) => {
  const settings = parseConfig(batchSchema, config, layer);
  const names = [
    ...(settings.scale ? ['gamma'] : []),
    ...(settings.center ? ['beta'] : []),
    'moving_mean',
    'moving_variance',
  ];
  const tensors = await weights.take(
    part,
    names.map((name) => slot(name, 'other', [null])),
    null,
  );
  const named = (name: string): RealTensor | undefined => tensors[names.indexOf(name)];
  const mean = named('moving_mean');
  const variance = named('moving_variance');
  if (!mean || !variance) throw new Error('moving statistics were asked for');
  const gamma = named('gamma');
  const beta = named('beta');
  const scale = Float64Array.from(
    variance.data,
    (value, index) => (gamma?.data[index] ?? 1) / Math.sqrt(value + settings.epsilon),
  );
  const offset = Float64Array.from(
    scale,
    (value, index) => (beta?.data[index] ?? 0) - (mean.data[index] ?? NaN) * value,
  );
  return affine(singleAxis(settings.axis), scale, offset);
};

/** (x - mean) / max(sqrt(variance), epsilon), statistics from `adapt` or from the configuration. */
const readNormalization: PlainReader = async ({ config, layer, weights, part }) => {
  const settings = parseConfig(
    z.object({ axis: axisList.nullish(), invert: z.boolean().default(false) }),
    config,
    layer,
  );
  const stated = [numbers(config['mean']), numbers(config['variance'])];
  const [mean, variance] = stated[0] && stated[1] ? stated : await adapted();
  if (!mean || !variance) throw new Error('two statistics were asked for');
  const deviation = variance.map((value) => Math.max(Math.sqrt(value), NORMALIZATION_EPSILON));
  const scale = settings.invert ? deviation : deviation.map((value) => 1 / value);
  const offset = settings.invert
    ? Float64Array.from(mean)
    : scale.map((value, index) => -(mean[index] ?? mean[0] ?? NaN) * value);
  const axes = settings.axis === null ? [] : axesOf(settings.axis ?? -1);
  if (axes.length > 1) throw unsupported('it normalizes over several axes with fixed statistics');
  return affine(axes[0] ?? -1, scale, offset);

  async function adapted(): Promise<readonly Float64Array[]> {
    const stored = await weights.take(part, [slot('mean', 'other', null), slot('variance', 'other', null)], null);
    return stored.map(({ data }) => Float64Array.from(data));
  }
};

const readRescaling: PlainReader = ({ config }) => {
  const scale = numbers(config['scale']);
  const offset = numbers(config['offset']) ?? Float64Array.of(0);
  if (!scale) throw unsupported('its scale is not a number');
  const length = Math.max(scale.length, offset.length);
  const spread = (values: Float64Array): Float64Array =>
    Float64Array.from({ length }, (_, index) => values[index] ?? values[0] ?? NaN);
  return Promise.resolve(affine(-1, spread(scale), spread(offset)));
};

const readLayerNormalization: PlainReader = async ({ config, layer, weights, part }) => {
  const settings = parseConfig(layerSchema, config, layer);
  const names = [...(settings.scale ? ['gamma'] : []), ...(settings.center && !settings.rms_scaling ? ['beta'] : [])];
  const tensors = await weights.take(
    part,
    names.map((name) => slot(name, 'other', null)),
    null,
  );
  return {
    kind: 'layer-normalization',
    axes: axesOf(settings.axis),
    epsilon: settings.epsilon,
    gamma: tensors[names.indexOf('gamma')] ?? null,
    beta: tensors[names.indexOf('beta')] ?? null,
    rms: settings.rms_scaling,
  };
};

const readRmsNormalization: PlainReader = async ({ config, layer, weights, part }) => {
  const settings = parseConfig(rmsSchema, config, layer);
  const [gamma = null] = await weights.take(part, [slot('scale', 'other', null)], null);
  return {
    kind: 'layer-normalization',
    axes: axesOf(settings.axis),
    epsilon: settings.epsilon,
    gamma,
    beta: null,
    rms: true,
  };
};

function affine(axis: number, scale: Float64Array, offset: Float64Array): PlainOperation {
  const shape = [scale.length];
  return { kind: 'affine', axis, scale: { shape, data: scale }, offset: { shape, data: offset } };
}

/** A number, a (nested) list of numbers, or a serialized numpy array; null for anything else. */
function numbers(value: JsonValue | undefined): Float64Array | null {
  if (typeof value === 'number') return Float64Array.of(value);
  if (isArray(value)) {
    const parts = value.map(numbers);
    return parts.some((part) => part === null) ? null : Float64Array.from(parts.flatMap((part) => [...(part ?? [])]));
  }
  const inner = field(field(value, 'config'), 'value') ?? field(value, 'value');
  return inner === undefined ? null : numbers(inner);
}

/** Readers by class. */
export const NORMALIZATION_READERS: Readonly<Record<string, PlainReader>> = {
  BatchNormalization: readBatchNormalization,
  Normalization: readNormalization,
  Rescaling: readRescaling,
  LayerNormalization: readLayerNormalization,
  RMSNormalization: readRmsNormalization,
};
