/**
 * Bytes -> model: the content says which format it is, and that format's reader does the rest.
 *
 * Runs no code from the file, follows no path out of it, and keeps no state: it is meant to run in a process that can be
 * killed, and its result crosses to another one as it is.
 */
import { TempogradError } from '../core/errors';
import type { RecurrentModel } from '../core/model';
import type { ByteSource } from './byte-source';
import { detectContainer } from './detect';
import { readKerasH5 } from './formats/keras-h5';
import { readKerasSharded } from './formats/keras-sharded';
import { readKerasV3 } from './formats/keras-v3';
import { DEFAULT_LIMITS, type ReadLimits } from './limits';

/** What a user can say about a file; every field may be left out. */
export interface ReadOptions {
  /** Of cells whose file does not store it. */
  readonly activation?: string | null;
  readonly recurrentActivation?: string | null;
  /** Of a GRU whose file does not tell. */
  readonly resetAfter?: boolean | null;
  /** The architecture (`to_json()`) of a weights-only file, from a file beside it. */
  readonly architecture?: string | null;
  /**
   * Another file of the same folder by its plain name, null when there is none: shards, and architectures beside
   * weights. Never called with a path. Left out, nothing but the file itself is read.
   */
  readonly openBeside?: (name: string) => ByteSource | null;
  readonly limits?: Partial<ReadLimits>;
}

/**
 * The model that a file holds.
 *
 * @param source - The file's bytes.
 * @param name - Its name, for messages only.
 * @param options - What the file does not store, and caps.
 * @returns Plain data that can be cloned into another process.
 * @throws TempogradError `reader/*`; `cell/shape-mismatch` or `reader/*` of the first recurrent layer where none of them
 * could be read. A model without a recurrent layer is no error here.
 */
export async function readModel(source: ByteSource, name: string, options: ReadOptions = {}): Promise<RecurrentModel> {
  const settings = {
    activation: options.activation ?? null,
    recurrentActivation: options.recurrentActivation ?? null,
    resetAfter: options.resetAfter ?? null,
    architecture: options.architecture ?? null,
    openBeside: options.openBeside ?? (() => null),
    limits: { ...DEFAULT_LIMITS, ...options.limits },
  };
  const { kind, description } = detectContainer(source);
  if (kind === 'zip') return readKerasV3(source, name, settings);
  if (kind === 'hdf5') return readKerasH5(source, name, settings);
  if (kind === 'json') return readKerasSharded(source, name, settings);
  throw new TempogradError('reader/unknown-format', `${name} is ${description}, not a Keras model`, {
    details: { kind },
  });
}
