/**
 * Models and data files as the command reads them: in a child process that is killed when it takes too long.
 */
import { statSync } from 'node:fs';
import type { RecurrentModel } from '../core/model';
import type { ModelDescription } from '../core/summary';
import { bytesToRead } from '../host/bytes-to-read';
import { startNodeChild } from '../host/child-channel';
import { parseInChild } from '../host/parse-process';
import { programPaths } from '../host/paths';
import {
  dataFilesOf,
  type DataArrays,
  type ReaderJob,
  type ReaderOptions,
  type ReadDataResult,
  type ReadModelResult,
} from '../host/reader-messages';
import type { RunRequest } from '../shared/run';

/** A model file, read. */
export interface OpenedFile {
  readonly model: RecurrentModel;
  readonly bytes: number;
  readonly sha256: string;
}

const startReader = (): ReturnType<typeof startNodeChild> =>
  startNodeChild({ entry: programPaths(import.meta.url).readerProcess });

/**
 * A model, read in a process of its own.
 *
 * @param path - A file or folder.
 * @param options - What the file may not store.
 * @throws TempogradError of the reader family.
 */
export async function openModelFile(path: string, options: ReaderOptions): Promise<OpenedFile> {
  const { model, bytes, sha256 } = await readInChild({ kind: 'model', path, options, describe: false, hash: true });
  if (!model) throw new Error('the reader process gave no model');
  return { model, bytes, sha256 };
}

/**
 * What a model file holds, its numbers left in the process that read them, and the size of all its files.
 *
 * @param path - A file or folder.
 * @param options - What the file may not store.
 * @throws TempogradError of the reader family.
 */
export async function describeModelFile(
  path: string,
  options: ReaderOptions,
): Promise<{ readonly description: ModelDescription; readonly bytes: number }> {
  const job = { kind: 'model', path, options, describe: true, hash: false, withoutModel: true } as const;
  const { description } = await readInChild(job);
  if (!description) throw new Error('the reader process gave no description');
  return { description, bytes: bytesToRead(path) };
}

async function readInChild(job: Extract<ReaderJob, { kind: 'model' }>): Promise<ReadModelResult> {
  const { path } = job;
  const order = { job, bytes: bytesToRead(path), name: path };
  const { result, release } = await parseInChild<ReadModelResult>(startReader, order);
  release();
  return result;
}

/**
 * The arrays that a request names, read in a process of their own.
 *
 * @param request - The request.
 * @param limits - Caps of the readers that the user set.
 * @throws TempogradError `input/not-readable` and others of the input family.
 */
export async function readRunFiles(request: RunRequest, limits: ReaderOptions['limits'] = {}): Promise<DataArrays> {
  const files = dataFilesOf(request);
  const named = [files.input?.path, files.maskFile, files.initialStateFile, files.targetFile];
  const paths = named.filter((path) => typeof path === 'string');
  if (paths.length === 0) return { input: null, mask: null, initialState: null };
  const bytes = paths.reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
  const order = { job: { kind: 'data', files, limits } as const, bytes, name: paths[0]! };
  const { result, release } = await parseInChild<ReadDataResult>(startReader, order);
  release();
  if (!result.arrays) throw new Error('the reader process gave no arrays');
  return result.arrays;
}
