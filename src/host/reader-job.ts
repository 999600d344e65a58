/**
 * The work of a reader process: a file of a stranger to a model or to arrays.
 */
import { createHash } from 'node:crypto';
import type { RecurrentModel } from '../core/model';
import type { ByteSource } from '../readers/byte-source';
import { describeModel } from '../readers/describe-model';
import { readModel } from '../readers/read-model';
import type { MeasuredWeights } from '../readers/reading';
import { modelOfFolder } from './file-role';
import { freeMemory } from './free-memory';
import { kindOfPath, openFileSource } from './file-source';
import { neighboursOf } from './open-beside';
import { readDataFiles } from './read-data-files';
import type { ReaderJob, ReaderResult, ReadModelResult } from './reader-messages';

const HASH_CHUNK_BYTES = 1 << 22;

/**
 * The result of one job.
 *
 * @param job - What to read.
 * @param onParsed - Called when the hostile part is over.
 * @throws TempogradError as the readers do.
 */
export async function runReaderJob(job: ReaderJob, onParsed: () => void): Promise<ReaderResult> {
  if (job.kind === 'model') return readModelFile(job, onParsed);
  const result = await readDataFiles(job.files, job.limits);
  onParsed();
  return result;
}

async function readModelFile(
  { path, options, describe, hash, withoutModel = false }: Extract<ReaderJob, { kind: 'model' }>,
  onParsed: () => void,
): Promise<ReadModelResult> {
  const source = openFileSource(kindOfPath(path) === 'folder' ? modelOfFolder(path) : path);
  const neighbours = neighboursOf(source.path);
  try {
    // What is only to be described need not be kept; where the model is handed on, it is.
    const measured: MeasuredWeights | null = withoutModel ? new Map() : null;
    const model = await readModel(source, source.name, { ...options, openBeside: neighbours.open, measured });
    onParsed();
    await freeMemory();
    return {
      kind: 'model',
      model: withoutModel ? null : model,
      description: describe ? describeModel(model, measured ?? undefined) : null,
      ...inputOf(model),
      bytes: source.size,
      sha256: hash ? hashOf(source) : '',
    };
  } finally {
    neighbours.close();
    source.close();
  }
}

/** Shape (without the batch) and kind of the model's first input; null for weights only. */
function inputOf(model: RecurrentModel): Pick<ReadModelResult, 'inputShape' | 'inputIsIds'> {
  const first = model.inputs[0];
  const operation = first === undefined ? undefined : model.layers[first]?.operation;
  if (operation?.kind !== 'input') return { inputShape: null, inputIsIds: false };
  return { inputShape: operation.shape, inputIsIds: operation.integer };
}

function hashOf(source: ByteSource): string {
  const hash = createHash('sha256');
  for (let offset = 0; offset < source.size; offset += HASH_CHUNK_BYTES) {
    hash.update(source.read(offset, Math.min(HASH_CHUNK_BYTES, source.size - offset)));
  }
  return hash.digest('hex');
}
