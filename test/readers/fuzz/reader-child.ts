/** Reads the models that are sent to it, one at a time, and answers with the code; killed when it does not answer. */
import { toErrorRecord } from '../../../src/core/errors';
import { memorySource } from '../../../src/readers/byte-source';
import { describeModel } from '../../../src/readers/describe-model';
import { readModel } from '../../../src/readers/read-model';

/** What the child answers: an error's record, or the number of layers. */
export interface ChildAnswer {
  readonly code: string | null;
  readonly message: string;
}

async function answer(bytes: Uint8Array): Promise<ChildAnswer> {
  try {
    const model = structuredClone(await readModel(memorySource(bytes), 'mutant'));
    describeModel(model);
    return { code: null, message: `${String(model.layers.length)} layers` };
  } catch (error) {
    const { code, message, details } = toErrorRecord(error);
    return { code, message: code === 'bug' ? `${message} ${String(details['stack'])}` : message };
  }
}

process.on('message', (bytes: Uint8Array) => {
  void answer(bytes).then((result) => process.send?.(result));
});
