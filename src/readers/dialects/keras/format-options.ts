/**
 * What every format of Keras's files is given: the options of a reading, all caps filled in.
 */
import type { ByteSource } from '../../byte-source';
import type { KerasContext, KerasOptions, KerasWriter } from './context';
import type { ReadLimits } from '../../limits';

/** Options of a reading, all caps filled in. */
export interface FormatOptions extends KerasOptions {
  readonly limits: ReadLimits;
  /** A model's architecture (`to_json()`) from a file beside the weights. */
  readonly architecture: string | null;
  /** Another file of the same folder by its plain name, null when there is none. */
  readonly openBeside: (name: string) => ByteSource | null;
}

/**
 * A fresh context for the reading of one Keras model.
 *
 * @param writer - Who wrote it.
 * @param options - Options.
 */
export function newContext(writer: KerasWriter, options: FormatOptions): KerasContext {
  return { writer, options, limits: options.limits, assumptions: [], warnings: [], failures: [] };
}
