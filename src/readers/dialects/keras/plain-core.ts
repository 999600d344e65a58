/**
 * Dense, Embedding, Masking, and the layers that do nothing at inference.
 */
import { z } from 'zod';
import type { PlainOperation } from '../../../core/model';
import { readActivation } from './activations';
import { assumeNoDropout, parseConfig, positiveCount } from './context';
import type { PlainReader } from './plain-reader';
import { slot } from './weight-reader';
import { unsupported } from '../../reading';

const denseSchema = z.object({ units: positiveCount, use_bias: z.boolean().default(true) });
const embeddingSchema = z.object({
  input_dim: positiveCount,
  output_dim: positiveCount,
  mask_zero: z.boolean().default(false),
});
const maskingSchema = z.object({ mask_value: z.number().nullish() });

const IDENTITY: PlainOperation = { kind: 'identity' };

const readDense: PlainReader = async ({ config, layer, weights, part, context }) => {
  const { units: described, use_bias: useBias } = parseConfig(denseSchema, config, layer);
  const units = weights.believedSize(part, 'kernel', -1, described);
  const slots = [slot('kernel', 'kernel', [null, units]), ...(useBias ? [slot('bias', 'bias', [units])] : [])];
  const [kernel, bias = null] = await weights.take(part, slots, null);
  if (!kernel) throw new Error('a kernel was asked for');
  return { kind: 'dense', kernel, bias, activation: readActivation(config['activation'], context.writer) };
};

const readEmbedding: PlainReader = async ({ config, layer, weights, part }) => {
  const settings = parseConfig(embeddingSchema, config, layer);
  const shape = [settings.input_dim, settings.output_dim];
  const [table] = await weights.take(part, [slot('embeddings', 'other', shape)], null);
  if (!table) throw new Error('a table was asked for');
  return { kind: 'embedding', table, maskZero: settings.mask_zero };
};

const readMasking: PlainReader = ({ config, layer }) => {
  const { mask_value: maskValue } = parseConfig(maskingSchema, config, layer);
  if (maskValue === null)
    throw unsupported('its mask value is not a number, so that it masks nothing that can be compared');
  return Promise.resolve({ kind: 'masking', maskValue: maskValue ?? 0 });
};

const readIdentity: PlainReader = () => Promise.resolve(IDENTITY);

/** A layer that does something while training only. */
const readDropout: PlainReader = ({ context }) => {
  assumeNoDropout(context);
  return Promise.resolve(IDENTITY);
};

/** Readers by class. */
export const CORE_READERS: Readonly<Record<string, PlainReader>> = {
  Dense: readDense,
  Embedding: readEmbedding,
  Masking: readMasking,
  Identity: readIdentity,
  ActivityRegularization: readIdentity,
  Dropout: readDropout,
  SpatialDropout1D: readDropout,
  AlphaDropout: readDropout,
  GaussianNoise: readDropout,
  GaussianDropout: readDropout,
};
