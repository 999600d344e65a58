/**
 * A run written to the files that the window was asked for: all of them when it is through, none otherwise.
 */
import { basename } from 'node:path';
import { writeRun } from '../export/write-run';
import { OutputBatch } from '../host/output-batch';
import type { AnalysisStep } from '../shared/analysis-step';
import type { EngineCalls, ExportOrder } from './engine-messages';
import type { RunMaterial } from './engine-session';

/**
 * Where the run was written to, or null when it was cancelled: then nothing is there that was not there before.
 *
 * @param steps - The run.
 * @param signal - Cancels it.
 * @param material - What it is made from; no file of it is written over.
 * @param order - Which files.
 * @param onProgress - Told the share that is written, 0 to 1, whenever it has grown by a hundredth.
 * @throws TempogradError what the run throws; `output/not-writable`; `output/too-large`; `usage/bad-option` for the path
 * of an input.
 */
export async function exportRun(
  steps: AsyncIterable<AnalysisStep>,
  signal: AbortSignal,
  material: RunMaterial,
  order: ExportOrder,
  onProgress: (fraction: number) => void,
): Promise<EngineCalls['exportRun'][1]> {
  const batch = new OutputBatch(inputsOf(material));
  try {
    await writeInto(batch, untilCancelled(steps), { signal, onProgress: inHundredths(onProgress) }, material, order);
    await batch.commit();
    return { path: order.path };
  } catch (error) {
    await batch.abort();
    if (error === CANCELLED) return null;
    throw error;
  }
}

/** Thrown where a run was cancelled, so that nothing of it is completed first. */
const CANCELLED = new Error('the export was cancelled');

async function* untilCancelled(steps: AsyncIterable<AnalysisStep>): AsyncGenerator<AnalysisStep, void, void> {
  for await (const step of steps) {
    if (step.event.kind === 'cancelled') throw CANCELLED;
    yield step;
  }
}

/** Passes on only what a percentage would show. */
function inHundredths(tell: (fraction: number) => void): (fraction: number) => void {
  let told = -1;
  return (fraction) => {
    const hundredths = Math.floor(fraction * 100);
    if (hundredths <= told) return;
    told = hundredths;
    tell(fraction);
  };
}

async function writeInto(
  batch: OutputBatch,
  steps: AsyncIterable<AnalysisStep>,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (fraction: number) => void },
  material: RunMaterial,
  { format, path }: ExportOrder,
): Promise<void> {
  const targets = { npz: format === 'npz' ? path : null, csvFolder: format === 'csv' ? path : null };
  const host = { ...batch.host(signal), onTableProgress: onProgress };
  const { record } = await writeRun(steps, targets, host, (event) => {
    if (event.kind === 'progress' && format !== 'csv') onProgress(event.fraction);
  });
  if (format === 'json') await batch.addText(path, `${JSON.stringify(record.summary, null, 2)}\n`);
  if (format === 'report') {
    // Loaded only when asked for: the chart library behind it is large.
    const { renderReport } = await import('../export/report');
    await batch.addText(path, renderReport([record], basename(material.file.path)));
  }
}

function inputsOf({ file, request }: RunMaterial): string[] {
  const { input, maskFile, initialStateFile } = request;
  const paths = [file.path, input.kind === 'file' ? input.path : null, maskFile, initialStateFile];
  return paths.filter((path) => path !== null);
}
