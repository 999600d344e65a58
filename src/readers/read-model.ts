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
import { openZip } from './containers/zip';
import type { ModelFile, ModelFormat } from './formats/format';
import { kerasH5 } from './formats/keras-h5';
import { kerasSharded } from './formats/keras-sharded';
import { kerasV3 } from './formats/keras-v3';
import { npzWeights } from './formats/npz-weights';
import { onnx } from './formats/onnx';
import { safetensors } from './formats/safetensors';
import { savedModel } from './formats/saved-model';
import { tfCheckpoint } from './formats/tf-checkpoint';
import { tfjs } from './formats/tfjs';
import { torch } from './formats/torch';
import { parseJson } from './json';
import type { FormatOptions } from './reading';
import { checkLimit, limitsOfReading, type CountedLimits, type ReadLimits } from './limits';

/** Every format, in the order in which they are asked. */
const FORMATS: readonly ModelFormat[] = [
  kerasV3,
  kerasH5,
  onnx,
  savedModel,
  tfCheckpoint,
  torch,
  npzWeights,
  safetensors,
  tfjs,
  kerasSharded,
];

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
   * Another file of the model's folder by its path inside it, null when there is none: shards, and architectures beside
   * weights. Left out, nothing but the file itself is read.
   */
  readonly openBeside?: (path: string) => ByteSource | null;
  readonly limits?: Partial<ReadLimits>;
  readonly onTensor?: FormatOptions['onTensor'];
  /**
   * Takes the statistics of large weights that are then not kept: the model can be described with them
   * (`describeModel`), and not run.
   */
  readonly measured?: FormatOptions['measured'];
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
    onTensor: options.onTensor ?? null,
    measured: options.measured ?? null,
    limits: limitsOfReading(options.limits),
  };
  return naming(name, () => readFile(source, name, settings));
}

async function readFile(source: ByteSource, name: string, settings: FormatOptions): Promise<RecurrentModel> {
  const file = await openModelFile(source, name, settings.limits);
  const format = FORMATS.find((candidate) => candidate.matches(file));
  if (format) return format.read(file, settings);
  const { kind, description, remedy } = file.container;
  throw new TempogradError('reader/unknown-format', `${name} is ${description}, not a model that can be read`, {
    ...(remedy && { remedy }),
    details: { kind, ...(file.archive && { entries: file.archive.names.slice(0, 20) }) },
  });
}

/** What `read` gives; an error of the file that does not say which file it is about is told with its name. */
async function naming<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof TempogradError) || !/^reader\//.test(error.code) || error.message.includes(name))
      throw error;
    const { code, message, remedy, details } = error;
    throw new TempogradError(code, `${name}: ${message}`, { remedy, details, cause: error });
  }
}

async function openModelFile(source: ByteSource, name: string, limits: CountedLimits): Promise<ModelFile> {
  const container = detectContainer(source);
  if (container.kind === 'json') checkLimit(`Size of ${name} in bytes`, source.size, 'maxJsonBytes', limits);
  return {
    source,
    name,
    container,
    archive: container.kind === 'zip' ? await openZip(source, limits) : null,
    json:
      container.kind === 'json'
        ? parseJson(new TextDecoder('utf-8').decode(source.read(0, source.size)), name, limits)
        : null,
  };
}
