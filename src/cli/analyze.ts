/**
 * `tempograd analyze MODEL`: one run per layer asked for, its files, its summary, its exit code.
 */
import { basename, join } from 'node:path';
import { analyze, planRun, type AnalysisOrder } from '../analysis/analyze';
import { findLayer, recurrentLayers } from '../analysis/find-layer';
import { TempogradError } from '../core/errors';
import type { Summary } from '../core/summary';
import { writeRun, type ArrayTargets } from '../export/write-run';
import type { RunRequest } from '../shared/run';
import type { RunRecord } from '../shared/run-record';
import type { AnalyzeOrder } from './analyze-options';
import { blockSummary, blockText } from './block-text';
import { EXIT, type Output } from './exit-codes';
import { fullNotice } from './full-notice';
import { fileNames } from './layer-files';
import { OutputBatch } from '../host/output-batch';
import { partFacts } from './part-facts';
import { makeProgress } from './progress';
import { openModelFile, readRunFiles } from './read-files';
import { jsonText, oneLine } from './terminal-text';
import { makeTrace } from './trace';
import { partText, skippedText, verdictText, writtenText, type SkippedLayer } from './verdict-text';

/** What the run needs from its surroundings. */
export interface AnalyzeContext {
  readonly version: string;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** What is to be run. */
interface LayerPlan {
  readonly isAll: boolean;
  readonly layers: readonly string[];
  readonly skipped: readonly SkippedLayer[];
}

/** What became of the layers. */
interface LayerResults {
  readonly records: readonly RunRecord[];
  /** Files of arrays, in order. */
  readonly files: readonly string[];
  readonly isCancelled: boolean;
}

/**
 * Runs the command in this process.
 *
 * @param order - The options.
 * @param context - Surroundings.
 * @returns The exit code.
 * @throws TempogradError of every family; nothing is written then.
 */
export async function analyzeCommand(order: AnalyzeOrder, context: AnalyzeContext): Promise<number> {
  const batch = new OutputBatch(inputsOf(order));
  try {
    const { exitCode, print } = await analyzeInto(batch, order, context);
    await batch.commit();
    print();
    return exitCode;
  } catch (error) {
    await batch.abort();
    throw error;
  }
}

/** The end of a command: what it prints, once its files are there. */
interface Outcome {
  readonly exitCode: number;
  print(): void;
}

async function analyzeInto(
  batch: OutputBatch,
  order: AnalyzeOrder,
  { version, output, signal }: AnalyzeContext,
): Promise<Outcome> {
  const deadline = order.request.maxSeconds === null ? null : performance.now() / 1000 + order.request.maxSeconds;
  const trace = makeTrace(order.trace !== null);
  await checkTargets(batch, order);
  const file = await openModelFile(order.model, order.readerOptions);
  const data = await readRunFiles(order.request, order.readerOptions.limits);
  const { format, producer } = file.model;
  const source = { format, producer, path: order.model, bytes: file.bytes, sha256: file.sha256 };
  const orderOf = (layer: string): AnalysisOrder => {
    const maxSeconds = deadline === null ? null : Math.max(1e-3, deadline - performance.now() / 1000);
    return { model: file.model, source, version, request: { ...order.request, layer, maxSeconds }, data };
  };
  const plan = planLayers(order.request, orderOf);
  if (order.request.full && order.out !== null) {
    const notice = fullNotice(plan.layers.map(orderOf), order.out, batch.host(signal));
    // Lines of JSON stay lines of JSON; the event `started` has the size there.
    if (order.progress !== 'json') output.err(`tempograd: ${notice}\n`);
  }
  const { records, files, isCancelled } = await runLayers(plan, order, batch, async (layer, targets) => {
    const progress = makeProgress(order.progress, output);
    try {
      const facts = partFacts(version, file.sha256, order.request, order.readerOptions, data);
      const ofPart = order.request.shard ? { ...targets, facts } : targets;
      return await writeRun(analyze(orderOf(layer), signal), ofPart, batch.host(signal), (event) => {
        progress.show(event);
        trace.add(event, layer);
      });
    } finally {
      progress.end();
    }
  });
  if (isCancelled) {
    const kept = files.length > 0 ? `what was computed is in ${files.join(', ')}` : 'nothing was written';
    return { exitCode: EXIT.cancelled, print: () => output.err(`tempograd: cancelled; ${oneLine(kept)}\n`) };
  }
  if (order.trace !== null) await batch.addText(order.trace, trace.text());
  const summaries = records.map(({ summary }) => summary!);
  const { isAll, skipped } = plan;
  const told = records.map(({ summary, block }) => (block ? { ...summary!, block: blockSummary(block) } : summary!));
  const result = isAll ? { schema: 1, layers: told, skipped } : told[0]!;
  if (typeof order.json === 'string') await batch.addText(order.json, `${jsonText(result)}\n`);
  if (order.report !== null) {
    // The charts take longer to load than a small run takes.
    const { renderReport } = await import('../export/report');
    await batch.addText(order.report, renderReport(records, basename(order.model)));
  }
  const named = typeof order.json === 'string' ? order.json : null;
  const written = [...files, named, order.report, order.trace].filter((path) => path !== null);
  const text = `${[...records.map((record) => textOf(record, order)), ...skipped.map(skippedText)].join('\n')}${writtenText(written)}`;
  const exitCode = summaries.some((summary) => matches(summary, order)) ? EXIT.failOnMatched : EXIT.done;
  return { exitCode, print: () => output.out(order.json === true ? `${jsonText(result)}\n` : text) };
}

/** Every layer of a plan in turn; a cancelled one is the last. */
async function runLayers(
  { isAll, layers }: LayerPlan,
  { out, csv }: AnalyzeOrder,
  batch: OutputBatch,
  run: (layer: string, targets: ArrayTargets) => ReturnType<typeof writeRun>,
): Promise<LayerResults> {
  if (isAll && out !== null) batch.makeFolder(out);
  const names = fileNames(layers);
  const records: RunRecord[] = [];
  const files: string[] = [];
  for (const [index, layer] of layers.entries()) {
    const written = await run(layer, {
      npz: out === null ? null : isAll ? join(out, `${names[index]!}.npz`) : out,
      csvFolder: csv === null ? null : isAll ? join(csv, names[index]!) : csv,
    });
    files.push(...written.files);
    if (written.record.isCancelled) return { records, files, isCancelled: true };
    records.push(written.record);
  }
  return { records, files, isCancelled: false };
}

/**
 * The layers that a request names. Of all layers, one that stands on what cannot be run is left out and told; where
 * nothing is left, its error is the command's.
 */
function planLayers(request: RunRequest, orderOf: (layer: string) => AnalysisOrder): LayerPlan {
  const { model } = orderOf('');
  const isAll = request.layer === 'all' && !model.layers.some(({ name }) => name === 'all');
  if (!isAll) return { isAll, layers: [findLayer(model, request.layer).layer.name], skipped: [] };
  const layers: string[] = [];
  const skipped: SkippedLayer[] = [];
  let first: TempogradError | null = null;
  for (const { layer } of recurrentLayers(model)) {
    try {
      planRun(orderOf(layer.name));
      layers.push(layer.name);
    } catch (error) {
      if (!(error instanceof TempogradError) || error.code !== 'cell/unsupported') throw error;
      first ??= error;
      skipped.push({ layer: layer.name, code: error.code, message: error.message, remedy: error.remedy });
    }
  }
  if (layers.length === 0 && first) throw first;
  return { isAll, layers, skipped };
}

function textOf({ summary, started, block }: RunRecord, { out, csv }: AnalyzeOrder): string {
  const places = [out, csv].filter((place) => place !== null);
  if (started!.part) return partText(summary!, started!.part);
  return [verdictText(summary!, started!.sourceSteps, places), ...blockText(block).map((line) => `${line}\n`)].join('');
}

function matches(summary: Summary, order: AnalyzeOrder): boolean {
  return [summary.hidden, summary.cell].some((verdict) => verdict !== null && order.failOn.includes(verdict.verdict));
}

/** What an output must not take the place of. */
function inputsOf({ model, request }: AnalyzeOrder): string[] {
  const { input, maskFile, initialStateFile, targetFile = null } = request;
  const files = [model, input.kind === 'file' ? input.path : null, maskFile, initialStateFile, targetFile];
  return files.filter((path) => path !== null);
}

/** A place that cannot be written is told before the run, not after it. */
async function checkTargets(batch: OutputBatch, order: AnalyzeOrder): Promise<void> {
  const { out, report, json, trace, csv, request } = order;
  const files = [request.layer === 'all' ? null : out, report, trace, typeof json === 'string' ? json : null];
  await batch.check(files.filter((path) => path !== null));
  if (csv !== null) batch.makeFolder(csv);
}
