/**
 * The data that a user gives for `--input`, whatever its format: array or table.
 */
import { TempogradError } from '../core/errors';
import type { Tensor } from '../core/tensor';
import type { ByteSource } from './byte-source';
import { detectContainer } from './detect';
import { DEFAULT_LIMITS, type ReadLimits } from './limits';
import { readArray } from './read-array';
import { readCsv } from './read-csv';

/** Data as read; `[B, T, D]`, `[T, D]`, or ids `[B, T]`, `[T]`. */
export interface InputData {
  readonly tensor: Tensor;
  /** Names of the columns of a table with a header. */
  readonly columns: readonly string[] | null;
}

/** How a file is to be read. */
export interface InputOptions {
  /** Which array of an `.npz`. */
  readonly key?: string | null;
  /** Whether a table has a header; null finds out. */
  readonly header?: boolean | null;
  readonly limits?: Partial<ReadLimits>;
}

/**
 * The numbers of an input file, its format found by content.
 *
 * @param source - The file.
 * @param name - Its name, for messages.
 * @param options - Key and header.
 * @throws TempogradError `input/not-readable`, `input/not-finite` (tables only), `reader/limit-exceeded`, `reader/unsafe`.
 */
export async function readInput(source: ByteSource, name: string, options: InputOptions = {}): Promise<InputData> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const { kind, description } = detectContainer(source);
  if (kind === 'npy' || kind === 'zip') {
    return { tensor: await readArray(source, name, options.key ?? null, limits), columns: null };
  }
  if (kind === 'other') return readCsv(source, name, options.header ?? null, limits);
  throw new TempogradError('input/not-readable', `${name} is ${description}, not an array or a table`);
}
