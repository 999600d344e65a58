/**
 * What the owner of a reader process and the reader process say to each other, as data.
 */
import type { ErrorRecord } from '../core/errors';
import type { RecurrentModel } from '../core/model';
import type { ModelDescription } from '../core/summary';
import type { RealTensor, Tensor } from '../core/tensor';
import type { ReadLimits } from '../readers/limits';
import type { InputSource, RunRequest } from '../shared/run';

/** What a file does not store and a user may say; null = as usual. */
export interface ReaderOptions {
  readonly activation: string | null;
  readonly recurrentActivation: string | null;
  readonly resetAfter: boolean | null;
  /** Caps that the user raised or lowered for this file. */
  readonly limits: Partial<ReadLimits>;
}

/** Nothing said. */
export const NO_READER_OPTIONS: ReaderOptions = {
  activation: null,
  recurrentActivation: null,
  resetAfter: null,
  limits: {},
};

/** The files of one run. */
export interface DataFiles {
  readonly input: Extract<InputSource, { kind: 'file' }> | null;
  readonly maskFile: string | null;
  readonly initialStateFile: string | null;
  /** Left out where there is none. */
  readonly targetFile?: string;
}

/** What a reader process is asked for. */
export type ReaderJob =
  | {
      readonly kind: 'model';
      readonly path: string;
      readonly options: ReaderOptions;
      readonly describe: boolean;
      /** Reads the whole file once more; a large one is listed much sooner without. */
      readonly hash: boolean;
      /** The model's numbers stay where they are: a list of layers needs only what is said of them. */
      readonly withoutModel?: boolean;
    }
  | {
      readonly kind: 'data';
      readonly files: DataFiles;
      /** Caps that the user raised or lowered for these files. */
      readonly limits?: Partial<ReadLimits>;
    };

/** A model, read. */
export interface ReadModelResult {
  readonly kind: 'model';
  /** null where it went straight to another process over a port, or was not asked for. */
  readonly model: RecurrentModel | null;
  /** null where it was not asked for. */
  readonly description: ModelDescription | null;
  readonly inputShape: readonly (number | null)[] | null;
  readonly inputIsIds: boolean;
  readonly bytes: number;
  /** Empty where it was not asked for. */
  readonly sha256: string;
}

/** The arrays of a run, read. */
export interface DataArrays {
  readonly input: Tensor | null;
  readonly mask: Tensor | null;
  readonly initialState: { readonly h0: RealTensor; readonly c0: RealTensor | null } | null;
  /** Left out where there is none. */
  readonly target?: Tensor;
}

/** A run without files. */
export const NO_DATA: DataArrays = { input: null, mask: null, initialState: null };

/** The arrays of a run, or where they went. */
export interface ReadDataResult {
  readonly kind: 'data';
  /** null where they went straight to another process over a port. */
  readonly arrays: DataArrays | null;
  readonly inputShape: readonly number[] | null;
  readonly columns: readonly string[] | null;
}

/** What a job gives. */
export type ReaderResult = ReadModelResult | ReadDataResult;

/** Reader process to owner. */
export type FromReader =
  | { readonly kind: 'ready' }
  /** The hostile part is over: the limit for parsing no longer applies. */
  | { readonly kind: 'parsed' }
  | { readonly kind: 'result'; readonly result: ReaderResult }
  | { readonly kind: 'failed'; readonly error: ErrorRecord };

/**
 * The files that a run needs besides the model.
 *
 * @param request - The run.
 */
export function dataFilesOf(request: RunRequest): DataFiles {
  return {
    input: request.input.kind === 'file' ? request.input : null,
    maskFile: request.maskFile,
    initialStateFile: request.initialStateFile,
    ...(request.targetFile !== undefined && { targetFile: request.targetFile }),
  };
}

/**
 * One string for a set of files; empty when there are none.
 *
 * @param files - The files.
 */
export function dataKeyOf(files: DataFiles): string {
  const { input, maskFile, initialStateFile, targetFile } = files;
  if (input === null && maskFile === null && initialStateFile === null && targetFile === undefined) return '';
  return JSON.stringify([input?.path, input?.key, input?.header, maskFile, initialStateFile, targetFile]);
}
