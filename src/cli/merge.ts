/**
 * `tempograd merge PART.npz... --out FILE.npz`: the parts of `analyze --shard` as the file of one run.
 */
import { mergeSummaries } from '../analysis/merge-summaries';
import { mergeParts, orderParts, wholeRun } from '../export/merge-parts';
import { OutputBatch } from '../host/output-batch';
import { openPartFile } from '../host/part-file';
import type { PartFile } from '../shared/part-record';
import { EXIT, type Output } from './exit-codes';
import { jsonText } from './terminal-text';
import { verdictText, writtenText } from './verdict-text';

/** One `merge` command, checked. */
export interface MergeOrder {
  readonly parts: readonly string[];
  readonly out: string;
  /** Summary to standard output (`true`), to a file, or nowhere. */
  readonly json: string | boolean;
}

/**
 * Runs the command in this process.
 *
 * @param order - The options.
 * @param output - Where to print.
 * @param signal - Cancels.
 * @returns The exit code.
 * @throws TempogradError `usage/bad-option` for parts that make no run, errors of the reader family for files that are no
 * parts, `output/not-writable`, `output/too-large`; nothing is written then.
 */
export async function mergeCommand(order: MergeOrder, output: Output, signal: AbortSignal): Promise<number> {
  const { out, json } = order;
  const batch = new OutputBatch(order.parts);
  const named = typeof json === 'string' ? json : null;
  const written = [out, ...(named === null ? [] : [named])];
  try {
    await batch.check(written);
    const files: PartFile[] = [];
    for (const path of order.parts) files.push(await openPartFile(path));
    const parts = orderParts(files);
    await mergeParts(parts, out, batch.host(signal));
    const summary = await mergeSummaries(parts);
    if (named !== null) await batch.addText(named, `${jsonText(summary)}\n`);
    await batch.commit();
    const text = `${verdictText(summary, wholeRun(parts).sourceSteps, [out])}${writtenText(written)}`;
    output.out(json === true ? `${jsonText(summary)}\n` : text);
    return EXIT.done;
  } catch (error) {
    await batch.abort();
    throw error;
  }
}
