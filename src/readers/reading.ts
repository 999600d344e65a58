/**
 * What the reading of one file shares, whatever its format: what the user said, the caps, and what is found on the way.
 */
import { TempogradError } from '../core/errors';
import {
  isRecurrent,
  type Assumption,
  type Layer,
  type RecurrentModel,
  type Warning,
  type WeightInfo,
} from '../core/model';
import type { GateStatistics } from '../core/summary';
import type { RealTensor } from '../core/tensor';
import type { ByteSource } from './byte-source';
import type { CountedLimits } from './limits';
import type { StoredTensor } from './stored-tensor';

/** Statistics by gate, of each tensor that was measured as it was read. */
export type MeasuredWeights = Map<WeightInfo, Readonly<Record<string, GateStatistics>>>;

/** What a user said of cells whose file does not store it; null takes the usual. */
export interface UserChoices {
  readonly activation: string | null;
  readonly recurrentActivation: string | null;
  readonly resetAfter: boolean | null;
}

/** Options of a reading, all caps filled in. */
export interface FormatOptions extends UserChoices {
  readonly limits: CountedLimits;
  /** A model's architecture (`to_json()`) from a file beside the weights. */
  readonly architecture: string | null;
  /**
   * Another file of the model's folder by its path inside it (`model-00002-of-00003.safetensors`,
   * `variables/variables.index`), null when there is none, or when the path or a link would leave the folder.
   */
  readonly openBeside: (path: string) => ByteSource | null;
  /** Told of every tensor as it is taken from the file: the way in for checks by other programs. */
  readonly onTensor: ((tensor: StoredTensor, values: RealTensor) => void) | null;
  /**
   * Where statistics go of weights that need not be kept, because the model is only to be described; null for a model that
   * is to be run.
   */
  readonly measured: MeasuredWeights | null;
}

/** The state of one reading. */
export interface Reading extends Pick<FormatOptions, 'limits' | 'onTensor' | 'measured'> {
  readonly options: UserChoices;
  readonly assumptions: Assumption[];
  readonly warnings: Warning[];
  /** Bytes of the tensors taken so far (`takeTensor`). */
  readonly kept: { bytes: number };
  /** Failures of recurrent layers, in order; the first is thrown when none of them could be read. */
  readonly failures: TempogradError[];
}

/**
 * A fresh state for the reading of one file.
 *
 * @param options - Options.
 */
export function newReading(options: FormatOptions): Reading {
  return {
    options,
    limits: options.limits,
    onTensor: options.onTensor,
    measured: options.measured,
    assumptions: [],
    warnings: [],
    kept: { bytes: 0 },
    failures: [],
  };
}

/**
 * Adds an assumption unless the same was said before.
 *
 * @param reading - The reading.
 * @param assumption - What was taken as usual.
 */
export function assume(reading: Reading, assumption: Assumption): void {
  const known = reading.assumptions.some(
    ({ what, assumed }) => what === assumption.what && assumed === assumption.assumed,
  );
  if (!known) reading.assumptions.push(assumption);
}

/**
 * The error of a layer that is understood but cannot be analysed.
 *
 * @param reason - Why, as a sentence.
 */
export function unsupported(reason: string): TempogradError {
  return new TempogradError('cell/unsupported', reason);
}

/**
 * Why a recurrent layer could not be read, as a sentence; the failure is kept, so that it can be thrown where no layer at
 * all could be read.
 *
 * @param error - What its reading threw.
 * @param reading - The reading.
 * @throws The error itself where it is none of a layer: a bug, or a file that leaves itself (`reader/unsafe`).
 */
export function keepFailure(error: unknown, reading: Reading): string {
  if (!(error instanceof TempogradError) || error.code === 'reader/unsafe') throw error;
  reading.failures.push(error);
  return `${error.message}.`;
}

/**
 * What `read` gives; an array that is damaged is, in a model, damage of the model's file.
 *
 * @param read - Reads an array.
 * @throws TempogradError `reader/corrupt` for `input/not-readable`, and what else reading throws.
 */
export async function asModelError<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof TempogradError) || error.code !== 'input/not-readable') throw error;
    throw new TempogradError('reader/corrupt', error.message, { cause: error });
  }
}

/**
 * The model made of layers that have been read.
 *
 * @param format - `keras-v3`, `torch`, ...
 * @param producer - Who wrote the file.
 * @param layers - In topological order.
 * @param inputs - Indices of the input layers.
 * @param reading - The reading.
 * @throws TempogradError the failure of the first recurrent layer where none could be read.
 */
export function finishModel(
  format: string,
  producer: string,
  layers: readonly Layer[],
  inputs: readonly number[],
  reading: Reading,
): RecurrentModel {
  const damage = reading.failures.find(({ code }) => code !== 'cell/unsupported');
  if (damage instanceof TempogradError && !layers.some(isRecurrent)) throw damage;
  return { format, producer, layers, inputs, assumptions: reading.assumptions, warnings: reading.warnings };
}
