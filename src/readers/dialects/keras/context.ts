/**
 * What the reading of one Keras model shares: who wrote it, what the user asked for, and what is found on the way.
 */
import { z } from 'zod';
import { TempogradError } from '../../../core/errors';
import type { Assumption, Warning } from '../../../core/model';
import type { JsonObject } from '../../json';
import type { ReadLimits } from '../../limits';

/** Options for what a file does not store; null takes the usual. */
export interface KerasOptions {
  readonly activation: string | null;
  readonly recurrentActivation: string | null;
  readonly resetAfter: boolean | null;
}

/** Who wrote the file: Keras 1, 2 (tf.keras included) or 3; it decides which hard_sigmoid holds. */
export interface KerasWriter {
  readonly generation: 1 | 2 | 3;
  /** `2.2.4`, null when the file does not say. */
  readonly version: string | null;
}

/** The state of one reading. */
export interface KerasContext {
  readonly writer: KerasWriter;
  readonly options: KerasOptions;
  readonly limits: ReadLimits;
  readonly assumptions: Assumption[];
  readonly warnings: Warning[];
  /** Failures of recurrent layers, in order; the first is thrown when none of them could be read. */
  readonly failures: TempogradError[];
}

/**
 * Adds an assumption unless the same was said before.
 *
 * @param context - The reading.
 * @param assumption - What was taken as usual.
 */
export function assume(context: KerasContext, assumption: Assumption): void {
  const known = context.assumptions.some(
    ({ what, assumed }) => what === assumption.what && assumed === assumption.assumed,
  );
  if (!known) context.assumptions.push(assumption);
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

/**
 * The error of a layer that is understood but cannot be analysed.
 *
 * @param reason - Why, as a sentence.
 */
export function unsupported(reason: string): TempogradError {
  return new TempogradError('cell/unsupported', reason);
}

/** A count that fits an array: units, filters, sizes. */
export const positiveCount = z.number().int().min(1).max(1_000_000);
