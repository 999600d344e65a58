/** Reads the models that are sent to it, one at a time, and answers with the code; killed when it does not answer. */
import { toErrorRecord } from '../../../src/core/errors';
import { memorySource } from '../../../src/readers/byte-source';
import { describeModel } from '../../../src/readers/describe-model';
import { readModel } from '../../../src/readers/read-model';
import type { ModelFiles } from './mutate-files';

/** What the child answers: an error's record, or the number of layers. */
export interface ChildAnswer {
  readonly code: string | null;
  readonly message: string;
}

async function answer({ main, files }: ModelFiles): Promise<ChildAnswer> {
  const open = (name: string) => {
    const bytes = files.get(name);
    return bytes ? memorySource(bytes) : null;
  };
  try {
    const model = structuredClone(await readModel(open(main)!, main, { openBeside: open }));
    describeModel(model);
    return { code: null, message: `${String(model.layers.length)} layers` };
  } catch (error) {
    const { code, message, details } = toErrorRecord(error);
    return { code, message: code === 'bug' ? `${message} ${String(details['stack'])}` : message };
  }
}

process.on('message', (files: ModelFiles) => {
  void answer(files).then((result) => process.send?.(result));
});
