/** Reads the models that are sent to it, one at a time, and answers with the code; killed when it does not answer. */
import { createHash } from 'node:crypto';
import { toErrorRecord } from '../../../src/core/errors';
import type { RealTensor } from '../../../src/core/tensor';
import { memorySource } from '../../../src/readers/byte-source';
import { describeModel } from '../../../src/readers/describe-model';
import { readModel } from '../../../src/readers/read-model';
import type { StoredTensor } from '../../../src/readers/stored-tensor';
import type { ModelFiles } from './mutate-files';

/** What the child answers: an error's record, or the number of layers. */
export interface ChildAnswer {
  readonly code: string | null;
  readonly message: string;
  /** Every tensor that was taken from the file; empty after an error. */
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly sha256: string }[];
}

async function answer({ main, files }: ModelFiles): Promise<ChildAnswer> {
  const open = (name: string) => {
    const bytes = files.get(name);
    return bytes ? memorySource(bytes) : null;
  };
  const tensors: ChildAnswer['tensors'][number][] = [];
  const onTensor = ({ name }: StoredTensor, { shape, data }: RealTensor): void => {
    tensors.push({ name, shape: [...shape], sha256: hashOf(data) });
  };
  try {
    const model = structuredClone(await readModel(open(main)!, main, { openBeside: open, onTensor }));
    describeModel(model);
    return { code: null, message: `${String(model.layers.length)} layers`, tensors };
  } catch (error) {
    const { code, message, details } = toErrorRecord(error);
    return { code, message: code === 'bug' ? `${message} ${String(details['stack'])}` : message, tensors: [] };
  }
}

/** Of the numbers as little-endian float64 with one NaN, so that every program gets the same whatever it kept them in. */
function hashOf(data: Float32Array | Float64Array): string {
  const numbers = Float64Array.from(data, (value) => (Number.isNaN(value) ? NaN : value));
  return createHash('sha256').update(new Uint8Array(numbers.buffer)).digest('hex');
}

process.on('message', (files: ModelFiles) => {
  void answer(files).then((result) => process.send?.(result));
});
