/**
 * What the reading of one Keras model shares: who wrote it, what the user asked for, and what is found on the way.
 */
import { z } from 'zod';
import { TempogradError } from '../../../core/errors';
import type { JsonObject } from '../../json';
import { assume, newReading, type FormatOptions, type Reading } from '../../reading';

/** Who wrote the file: Keras 1, 2 (tf.keras included) or 3; it decides which hard_sigmoid holds. */
export interface KerasWriter {
  readonly generation: 1 | 2 | 3;
  /** `2.2.4`, null when the file does not say. */
  readonly version: string | null;
  /** Written by the layers of TensorFlow.js, whose words are those of Keras 2 and whose defaults are their own. */
  readonly isTfjs?: boolean;
}

/** The state of one reading. */
export interface KerasContext extends Reading {
  readonly writer: KerasWriter;
}

/**
 * A fresh context for the reading of one Keras model.
 *
 * @param writer - Who wrote it.
 * @param options - Options.
 */
export function newContext(writer: KerasWriter, options: FormatOptions): KerasContext {
  return { ...newReading(options), writer };
}

/**
 * Says once that dropout is off.
 *
 * @param context - The reading.
 */
export function assumeNoDropout(context: KerasContext): void {
  assume(context, {
    what: 'dropout and noise',
    assumed: 'off',
    why: 'the model is analysed at inference, where Keras switches them off',
    change: '',
  });
}

/**
 * The fields of a layer's configuration that a schema names; all others are left alone.
 *
 * @param schema - The schema.
 * @param config - The configuration.
 * @param layer - The layer's name, for messages.
 * @throws TempogradError `reader/corrupt` naming the field.
 */
export function parseConfig<S extends z.ZodType>(schema: S, config: JsonObject, layer: string): z.infer<S> {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const place = issue?.path.map(String).join('.') ?? '';
  throw new TempogradError(
    'reader/corrupt',
    `The configuration of layer ${layer} cannot be read: ${place}: ${issue?.message ?? ''}`,
    {
      details: { layer, field: place },
    },
  );
}

/** A count that fits an array: units, filters, sizes. */
export const positiveCount = z.number().int().min(1).max(1_000_000);
